/**
 * The incumbent's filter grammar as its readers have it: decoded first, cut into stanzas
 * afterwards, so that a value with `~` becomes filter text.
 */

export type FilterSql = { where: string; params: string[]; orderBy: string; namesDeleted: boolean };

const comparisons: Record<string, string> = {
  EQ: '=',
  NE: '!=',
  GT: '>',
  GE: '>=',
  LT: '<',
  LE: '<=',
  LK: 'LIKE',
  NLK: 'NOT LIKE',
};

/** SQL of a filter as it stands in a path. @throws Error for an instruction there is none of */
export function quirkyFilter(text: string): FilterSql {
  const parts = decodeURIComponent(text).split('~');
  const found: FilterSql = { where: '', params: [], orderBy: '', namesDeleted: false };
  const sorts: string[] = [];
  let isFirst = true;
  const add = (sql: string, isOr: boolean) => {
    found.where += isFirst ? sql : ` ${isOr ? 'OR' : 'AND'} ${sql}`;
    isFirst = false;
  };
  for (let at = 0; at + 3 < parts.length; at += 4) {
    const [instruction = '', field = '', operator = '', value = ''] = parts.slice(at, at + 4);
    const isOr = instruction.endsWith('OR');
    if (field === 'Deleted') found.namesDeleted = true;
    switch (instruction.replace(/OR$/, '')) {
      case 'FBV':
        add(`t."${field}" ${comparisons[operator] ?? '='} ?`, isOr);
        found.params.push(value);
        break;
      case 'FBL': {
        const values = value.split(',');
        add(
          `t."${field}" ${operator === 'NIN' ? 'NOT IN' : 'IN'} (${values.map(() => '?').join(', ')})`,
          isOr,
        );
        found.params.push(...values);
        break;
      }
      case 'FOP':
        add('(', isOr);
        isFirst = true;
        break;
      case 'FCP':
        found.where += ')';
        isFirst = false;
        break;
      case 'FSF':
        sorts.push(`t."${field}" ${operator === 'DESC' ? 'DESC' : 'ASC'}`);
        break;
      default:
        throw new Error(`no filter instruction ${instruction}`);
    }
  }
  found.orderBy = sorts.join(', ');
  return found;
}
