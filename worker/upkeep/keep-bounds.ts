/** What the store keeps of delivered writes, as an operator may set it. */
import { type DedupBounds, usualDedup } from '../journal/horizon.ts';
import { type RetentionBounds, usualRetention } from './retention.ts';

/** Bodies after delivery, and what is known of accepted writes. */
export type KeepBounds = { retention: RetentionBounds; dedup: DedupBounds };

export const usualKeep: KeepBounds = { retention: usualRetention, dedup: usualDedup };
