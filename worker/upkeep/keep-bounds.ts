/** How much the store keeps of delivered writes; an operator may set it. */
import { type DedupBounds, usualDedup } from '../journal/horizon.ts';
import { type RetentionBounds, usualRetention } from './retention.ts';

/** `retention` bounds the bodies after delivery, `dedup` how long accepted writes are known. */
export type KeepBounds = { retention: RetentionBounds; dedup: DedupBounds };

export const usualKeep: KeepBounds = { retention: usualRetention, dedup: usualDedup };
