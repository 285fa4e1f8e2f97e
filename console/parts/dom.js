/**
 * Elements made in one line; text only ever as text, so that nothing a hub sent becomes markup, and
 * without what would turn or hide it.
 */
import { visible } from './format.js';

/**
 * @typedef {Record<string, string | number | boolean | null | undefined | ((event: Event) =>
 * unknown)>} Props
 */

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Props} [props] functions are listeners, `true` an attribute without value, `false` and
 * null none
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  setProps(node, props);
  node.append(...children.map(shown));
  return node;
}

/** @param {Node | string} child */
function shown(child) {
  return typeof child === 'string' ? visible(child) : child;
}

/** @param {string} tag @param {Props} [props] @param {...(Node | string)} children */
export function svg(tag, props = {}, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  setProps(node, props);
  node.append(...children.map(shown));
  return node;
}

/** @param {Element} node @param {Props} props */
export function setProps(node, props) {
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'function') node.addEventListener(name, value);
    else if (value === false || value === null || value === undefined) node.removeAttribute(name);
    else {
      const text = value === true ? '' : visible(String(value));
      if (node.getAttribute(name) !== text) node.setAttribute(name, text);
    }
  }
}

/**
 * Writes only what is new, so that nothing is read out twice.
 * @param {Element} node
 * @param {string} text
 */
export function setText(node, text) {
  const seen = visible(text);
  if (node.textContent !== seen) node.textContent = seen;
}

/** A state as a word on its colour. @param {string} state */
export function pill(state = 'unassigned') {
  const node = el('span', { class: 'pill' });
  setPill(node, state);
  return node;
}

/** @param {Element} node @param {string} state */
export function setPill(node, state) {
  setText(node, state);
  setProps(node, { 'data-state': state });
}

/** A button. @param {string} label @param {() => unknown} onClick @param {Props} [props] */
export function button(label, onClick, props = {}) {
  return el('button', { type: 'button', click: onClick, ...props }, label);
}
