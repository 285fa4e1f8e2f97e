/**
 * Ties a child process to the `up` or `demo` that started it: a killed parent must not leave
 * children on its data.
 */

/**
 * Leaves at once when the parent is gone. What was accepted is on disk, so nothing is lost by it.
 */
export function exitWithParent(): void {
  const leave = () => process.exit(137);
  if (process.channel === undefined || !process.connected) return leave();
  process.once('disconnect', leave);
  // Listening for its end must not keep a finished command alive.
  process.channel.unref();
}
