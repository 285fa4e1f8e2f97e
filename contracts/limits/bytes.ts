/** Units that bounds in bytes are written in. */

export const KiB = 1024;
export const MiB = 1024 * KiB;
