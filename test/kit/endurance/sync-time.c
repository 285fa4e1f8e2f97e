/*
 * Preloaded by the dynamic linker: adds up how long this process waits for the disk to sync, so that a measurement can leave it out.
 * The sum, nanoseconds, is in the first eight bytes of a file that others may read. Without any header, so that a bare compiler is enough.
 */
struct moment { long seconds, nanoseconds; };
extern int clock_gettime(int clock, struct moment *to);
extern long syscall(long number, ...);
extern char *getenv(const char *name);
extern int open(const char *path, int flags, ...);
extern void *mmap(void *at, unsigned long bytes, int protection, int flags, int fd, long offset);

static volatile long *sum;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("TIDEMARK_SYNC_TIME");
  int fd = path ? open(path, 2) : -1;
  void *found = fd < 0 ? (void *)-1L : mmap(0, 8, 3, 1, fd, 0);
  if (found != (void *)-1L) sum = (volatile long *)found;
}

static int timed(long number, int fd) {
  struct moment from, to;
  clock_gettime(1, &from);
  int result = (int)syscall(number, fd);
  clock_gettime(1, &to);
  if (sum) *sum += (to.seconds - from.seconds) * 1000000000L + to.nanoseconds - from.nanoseconds;
  return result;
}

#if defined(__aarch64__)
int fsync(int fd) { return timed(82, fd); }
int fdatasync(int fd) { return timed(83, fd); }
#else
int fsync(int fd) { return timed(74, fd); }
int fdatasync(int fd) { return timed(75, fd); }
#endif
