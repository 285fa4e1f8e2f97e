/*
 * Preloaded by the dynamic linker: adds up how long this process waits for the disk to sync, so that a measurement can leave it out.
 * A file that others may read has the sums in nanoseconds, of waiting and of the processor's time in it, eight bytes each.
 * Without any header, so that a bare compiler is enough.
 */
struct moment { long seconds, nanoseconds; };
extern int clock_gettime(int clock, struct moment *to);
extern long syscall(long number, ...);
extern char *getenv(const char *name);
extern int open(const char *path, int flags, ...);
extern void *mmap(void *at, unsigned long bytes, int protection, int flags, int fd, long offset);

static volatile long *sums;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("TIDEMARK_SYNC_TIME");
  int fd = path ? open(path, 2) : -1;
  void *found = fd < 0 ? (void *)-1L : mmap(0, 16, 3, 1, fd, 0);
  if (found != (void *)-1L) sums = (volatile long *)found;
}

static long now(int clock) {
  struct moment at;
  clock_gettime(clock, &at);
  return at.seconds * 1000000000L + at.nanoseconds;
}

static int timed(long number, int fd) {
  long waited = now(1), worked = now(3);
  int result = (int)syscall(number, fd);
  if (!sums) return result;
  sums[0] += now(1) - waited;
  sums[1] += now(3) - worked;
  return result;
}

#if defined(__aarch64__)
int fsync(int fd) { return timed(82, fd); }
int fdatasync(int fd) { return timed(83, fd); }
#else
int fsync(int fd) { return timed(74, fd); }
int fdatasync(int fd) { return timed(75, fd); }
#endif
