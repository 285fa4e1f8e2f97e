/**
 * Every bound of Tidemark in one object (I9), each file of `limits/` with those of one subject: its
 * unit is in the name, its reason in the comment.
 */
import { clientLimits } from './limits/client.ts';
import { deliveryLimits } from './limits/delivery.ts';
import { intakeLimits } from './limits/intake.ts';
import { maintenanceLimits } from './limits/maintenance.ts';
import { messageLimits } from './limits/message.ts';
import { operatorLimits } from './limits/operator.ts';
import { storeLimits } from './limits/store.ts';

export const limits = {
  ...messageLimits,
  ...intakeLimits,
  ...deliveryLimits,
  ...storeLimits,
  ...clientLimits,
  ...operatorLimits,
  ...maintenanceLimits,
} as const;
