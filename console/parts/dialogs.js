/** Questions to the reader, in modal dialogs. */
import { button, el, setText } from './dom.js';

/**
 * Shows a dialog until one of its parts calls `close`; Escape resolves to null.
 * @template T
 * @param {string} title
 * @param {(close: (answer: T | null) => void) => (Node | string)[]} fill
 * @returns {Promise<T | null>}
 */
export function ask(title, fill) {
  return new Promise((resolve) => {
    /** @type {T | null} */
    let answer = null;
    const dialog = el('dialog', { 'aria-labelledby': 'dialog-title' });
    dialog.append(
      el('h2', { id: 'dialog-title' }, title),
      ...fill((given) => {
        answer = given;
        dialog.close();
      }),
    );
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/**
 * @param {string} title
 * @param {string} text
 * @param {string} action what the button says
 * @returns {Promise<boolean>}
 */
export async function confirm(title, text, action) {
  const answer = await ask(title, (/** @type {(yes: boolean | null) => void} */ close) => [
    el('p', {}, text),
    el(
      'p',
      { class: 'actions' },
      button('Cancel', () => close(false)),
      button(action, () => close(true), { class: 'danger' }),
    ),
  ]);
  return answer === true;
}

/** @param {boolean} wasWrong @returns {Promise<string | null>} */
export function askToken(wasWrong) {
  return ask('A token is needed', (/** @type {(token: string | null) => void} */ close) => {
    const input = el('input', {
      id: 'token',
      type: 'password',
      autocomplete: 'off',
      spellcheck: 'false',
      ...(wasWrong ? { 'aria-describedby': 'token-wrong' } : {}),
    });
    const wrong = el('p', { id: 'token-wrong', class: 'wrong', role: 'alert' });
    setText(wrong, wasWrong ? 'That token is wrong: the worker refused it.' : '');
    const form = el(
      'form',
      {
        submit: (event) => {
          event.preventDefault();
          if (input.value.trim() !== '') close(input.value.trim());
        },
      },
      el('label', { for: 'token' }, 'Token'),
      input,
      wrong,
      el(
        'p',
        { class: 'actions' },
        button('Cancel', () => close(null)),
        el('button', { type: 'submit', class: 'main' }, 'Use token'),
      ),
    );
    return [
      el(
        'p',
        {},
        'It stands in TIDEMARK_TOKEN, or in the file token of the data directory. This tab ' +
          'keeps it until it is closed.',
      ),
      form,
    ];
  });
}
