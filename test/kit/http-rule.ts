/** The rule of who may call, without a server, under a clock that stands still. */
import { HttpAccess, type HttpCall, type HttpSettings } from '../../runtime/http/http-access.ts';

export const operate = { name: 'ann', role: 'operate', token: 'ann-secret' } as const;
export const view = { name: 'vic', role: 'view', token: 'vic-secret' } as const;

type Asked = {
  headers?: Record<string, string | undefined>;
  isChanging?: boolean;
  isPublic?: boolean;
  remote?: string;
};

export function rule(host = '127.0.0.1', more: Partial<HttpSettings> = {}) {
  let nowMs = 0;
  const access = new HttpAccess(
    { host, port: 8390 },
    { tokens: [operate, view], allowedHosts: [], ...more },
    () => nowMs,
  );
  const ask = ({ headers = {}, ...asked }: Asked) => {
    const all: Record<string, string | undefined> = { Host: '127.0.0.1:8390', ...headers };
    const call: HttpCall = {
      isChanging: false,
      isPublic: false,
      remote: '10.0.0.1',
      ...asked,
      header: (name) => all[name],
    };
    return access.check(call);
  };
  const status = (asked: Asked) => {
    const verdict = ask(asked);
    return verdict.isAdmitted ? 200 : verdict.status;
  };
  return {
    ask,
    status,
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

export const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
