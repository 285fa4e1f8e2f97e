/** Lists as the incumbent gives them: whole, where no limit is said, up to a bound. */
import { isJsonObject, type JsonObject, type JsonValue } from '../contracts/body/json-value.ts';
import { limits } from '../contracts/limits.ts';
import type { ReadReply } from '../contracts/reply.ts';
import type { Listed } from './waiting/rows.ts';

/**
 * All pages of a list, as one answer; one page where the filter says how much is wanted.
 *
 * @param onCut called when there is more than the bound
 */
export async function wholeList(
  listed: Listed,
  filter: JsonObject,
  ask: (filter: JsonObject) => Promise<ReadReply>,
  onCut: () => void,
): Promise<ReadReply> {
  if ('Limit' in filter || 'After' in filter) return ask(filter);
  const rows: JsonValue[] = [];
  for (let page: JsonObject = filter; ;) {
    const reply = await ask({ ...page, Limit: limits.listRowsMax - rows.length });
    rows.push(...rowsOf(reply, listed));
    if (reply.Next === undefined || rows.length >= limits.listRowsMax) {
      if (reply.Next !== undefined) onCut();
      return { ...reply, [listed]: rows };
    }
    page = { ...filter, After: reply.Next };
  }
}

/** The rows of an answer; none where it has no such member. */
export function rowsOf(reply: JsonObject | ReadReply, name: string): JsonValue[] {
  const rows = (reply as JsonObject)[name];
  return Array.isArray(rows) ? rows : [];
}

/** The row of an answer. */
export function rowOf(reply: JsonObject, name: string): JsonObject | null {
  const row = reply[name];
  return isJsonObject(row) ? row : null;
}
