/*
 * A layer between a process and its file system, preloaded by the dynamic linker: it records what the process does to the files of one
 * folder, in order, and makes calls on them fail as a control file says. Without any header, so that a bare compiler is enough.
 * Which file a descriptor is for is asked of the kernel at each call: descriptors are also closed where no layer sees it.
 */
typedef unsigned long size_t;
typedef long ssize_t;
typedef long off_t;
struct piece { const void *base; size_t bytes; };

extern void *dlsym(void *handle, const char *name);
extern char *getenv(const char *name);
extern int *__errno_location(void);
extern ssize_t writev(int fd, const struct piece *pieces, int count);
extern ssize_t pread64(int fd, void *to, size_t bytes, off_t offset);
extern ssize_t readlink(const char *path, char *to, size_t bytes);
extern off_t lseek64(int fd, off_t offset, int whence);

#define next(name, type) static type real; if (!real) real = (type)dlsym((void *)-1L, name)
#define O_WRITES 3
#define O_CREAT 0100
#define O_TRUNC 01000
#define O_APPEND 02000
#define PATH_MAX 4096
enum { EIO_ = 5, EACCES_ = 13, ENOSPC_ = 28, EROFS_ = 30 };
/* As the reader in fault-layer.ts has them. */
enum { OP_CREATE = 1, OP_WRITE, OP_TRUNCATE, OP_SYNC, OP_UNLINK, OP_RENAME, OP_MKDIR, OP_LINK };

static const char *folder;
static size_t folder_bytes;
static int log_fd = -1, control_fd = -1;

static size_t length(const char *text) { size_t n = 0; while (text[n]) n++; return n; }

__attribute__((constructor)) static void begin(void) {
  int (*real)(const char *, int, int) = (int (*)(const char *, int, int))dlsym((void *)-1L, "open");
  const char *log = getenv("TIDEMARK_FAULT_LOG"), *control = getenv("TIDEMARK_FAULT_CONTROL");
  folder = getenv("TIDEMARK_FAULT_DIR");
  if (!folder) return;
  folder_bytes = length(folder);
  /* O_CLOEXEC: a child opens its own. */
  if (log && *log) log_fd = real(log, 1 | O_CREAT | O_APPEND | 02000000, 0600);
  if (control && *control) control_fd = real(control, 02000000, 0);
}

/* The path below the folder, or null when it is elsewhere. The folder itself is "". */
static const char *inside(const char *path) {
  size_t n;
  if (!folder || !path) return 0;
  for (n = 0; n < folder_bytes; n++) if (path[n] != folder[n]) return 0;
  if (path[n] == 0) return path + n;
  return path[n] == '/' ? path + n + 1 : 0;
}

static const char *file_of(int fd, char *buffer) {
  static const char gone[] = " (deleted)";
  char link[32] = "/proc/self/fd/", digits[12];
  size_t at = 14, n = 0, g = sizeof gone - 1;
  ssize_t bytes;
  if (!folder || fd < 0) return 0;
  do digits[n++] = '0' + fd % 10; while ((fd /= 10) > 0);
  while (n > 0) link[at++] = digits[--n];
  link[at] = 0;
  bytes = readlink(link, buffer, PATH_MAX - 1);
  if (bytes <= 0) return 0;
  buffer[bytes] = 0;
  if ((size_t)bytes > g) {
    for (n = 0; n < g && buffer[bytes - g + n] == gone[n]; n++);
    if (n == g) return 0;
  }
  return inside(buffer);
}

static void record(unsigned op, const char *path, off_t offset, const void *data, size_t bytes) {
  struct { unsigned op, path_bytes; off_t offset; size_t bytes; } head;
  struct piece pieces[3];
  int kept = *__errno_location();
  if (log_fd < 0) return;
  head.op = op; head.path_bytes = (unsigned)length(path); head.offset = offset; head.bytes = bytes;
  pieces[0].base = &head; pieces[0].bytes = sizeof head;
  pieces[1].base = path; pieces[1].bytes = head.path_bytes;
  pieces[2].base = data; pieces[2].bytes = bytes;
  writev(log_fd, pieces, bytes > 0 ? 3 : 2);
  *__errno_location() = kept;
}

/* The letter of the control file at a place: 0 write, 1 sync, 2 open, 3 names. */
static int told(int place) {
  char letters[4] = "----";
  if (control_fd < 0 || pread64(control_fd, letters, 4, 0) < 4) return 0;
  switch (letters[place]) {
    case 'i': return EIO_;
    case 'a': return EACCES_;
    case 'n': return ENOSPC_;
    case 'r': return EROFS_;
    default: return 0;
  }
}

static int fails(int error) {
  if (error) *__errno_location() = error;
  return error != 0;
}

/* A full disk still takes what overwrites; a read-only one takes nothing. */
static int write_fails(int fd, size_t bytes, off_t offset) {
  char last;
  int error = told(0);
  if (error == ENOSPC_ && bytes > 0) {
    int kept = *__errno_location();
    if (offset >= 0 && pread64(fd, &last, 1, offset + (off_t)bytes - 1) == 1) error = 0;
    *__errno_location() = kept;
  }
  return fails(error);
}

#define OPEN_BODY(name, call) \
  const char *file = inside(path); \
  int fd; \
  next(name, opener); \
  if (file && (flags & (O_WRITES | O_CREAT | O_TRUNC)) && fails(told(2))) return -1; \
  if (file && told(2) == EACCES_ && *file && fails(EACCES_)) return -1; \
  fd = call; \
  if (fd >= 0 && file && (flags & O_CREAT)) record(OP_CREATE, file, 0, 0, 0); \
  if (fd >= 0 && file && (flags & O_TRUNC)) record(OP_TRUNCATE, file, 0, 0, 0); \
  return fd

int open(const char *path, int flags, int mode) { typedef int (*opener)(const char *, int, int); OPEN_BODY("open", real(path, flags, mode)); }
int open64(const char *path, int flags, int mode) { typedef int (*opener)(const char *, int, int); OPEN_BODY("open64", real(path, flags, mode)); }
int openat(int at, const char *path, int flags, int mode) { typedef int (*opener)(int, const char *, int, int); OPEN_BODY("openat", real(at, path, flags, mode)); }
int openat64(int at, const char *path, int flags, int mode) { typedef int (*opener)(int, const char *, int, int); OPEN_BODY("openat64", real(at, path, flags, mode)); }

ssize_t write(int fd, const void *data, size_t bytes) {
  char buffer[PATH_MAX];
  typedef ssize_t (*writer)(int, const void *, size_t);
  next("write", writer);
  const char *file = file_of(fd, buffer);
  ssize_t done;
  if (!file) return real(fd, data, bytes);
  if (write_fails(fd, bytes, lseek64(fd, 0, 1))) return -1;
  done = real(fd, data, bytes);
  if (done > 0) record(OP_WRITE, file, lseek64(fd, 0, 1) - done, data, (size_t)done);
  return done;
}

#define PWRITE_BODY(name) \
  char buffer[PATH_MAX]; \
  typedef ssize_t (*writer)(int, const void *, size_t, off_t); \
  next(name, writer); \
  const char *file = file_of(fd, buffer); \
  ssize_t done; \
  if (file && write_fails(fd, bytes, offset)) return -1; \
  done = real(fd, data, bytes, offset); \
  if (file && done > 0) record(OP_WRITE, file, offset, data, (size_t)done); \
  return done

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset) { PWRITE_BODY("pwrite"); }
ssize_t pwrite64(int fd, const void *data, size_t bytes, off_t offset) { PWRITE_BODY("pwrite64"); }

#define FD_BODY(name, place, op, size, call, type) \
  char buffer[PATH_MAX]; \
  typedef type; \
  next(name, caller); \
  const char *file = file_of(fd, buffer); \
  int done; \
  if (file && fails(told(place) == ENOSPC_ ? 0 : told(place))) return -1; \
  done = call; \
  if (file && done == 0) record(op, file, size, 0, 0); \
  return done

int fsync(int fd) { FD_BODY("fsync", 1, OP_SYNC, 0, real(fd), int (*caller)(int)); }
int fdatasync(int fd) { FD_BODY("fdatasync", 1, OP_SYNC, 0, real(fd), int (*caller)(int)); }
int ftruncate(int fd, off_t size) { FD_BODY("ftruncate", 0, OP_TRUNCATE, size, real(fd, size), int (*caller)(int, off_t)); }
int ftruncate64(int fd, off_t size) { FD_BODY("ftruncate64", 0, OP_TRUNCATE, size, real(fd, size), int (*caller)(int, off_t)); }

#define NAME_BODY(name, op, call, type) \
  typedef type; \
  next(name, caller); \
  const char *file = inside(path); \
  int done; \
  if (file && fails(told(3))) return -1; \
  done = call; \
  if (file && done == 0) record(op, file, 0, 0, 0); \
  return done

int unlink(const char *path) { NAME_BODY("unlink", OP_UNLINK, real(path), int (*caller)(const char *)); }
int rmdir(const char *path) { NAME_BODY("rmdir", OP_UNLINK, real(path), int (*caller)(const char *)); }
int remove(const char *path) { NAME_BODY("remove", OP_UNLINK, real(path), int (*caller)(const char *)); }
int mkdir(const char *path, unsigned mode) { NAME_BODY("mkdir", OP_MKDIR, real(path, mode), int (*caller)(const char *, unsigned)); }

int unlinkat(int at, const char *name, int flags) {
  char buffer[PATH_MAX];
  typedef int (*caller)(int, const char *, int);
  next("unlinkat", caller);
  const char *parent = name[0] == '/' ? 0 : file_of(at, buffer);
  const char *file = name[0] == '/' ? inside(name) : 0;
  int done;
  if (parent) {
    char *end = buffer + length(buffer);
    size_t n;
    *end++ = '/';
    for (n = 0; name[n] && end < buffer + PATH_MAX - 1; n++) *end++ = name[n];
    *end = 0;
    file = inside(buffer);
  }
  if (file && fails(told(3))) return -1;
  done = real(at, name, flags);
  if (file && done == 0) record(OP_UNLINK, file, 0, 0, 0);
  return done;
}

int rename(const char *from, const char *path) {
  typedef int (*caller)(const char *, const char *);
  next("rename", caller);
  const char *old = inside(from), *file = inside(path);
  int done;
  if ((old || file) && fails(told(3))) return -1;
  done = real(from, path);
  if (done == 0 && old) record(file ? OP_RENAME : OP_UNLINK, old, 0, file, file ? length(file) : 0);
  return done;
}

int link(const char *from, const char *path) {
  typedef int (*caller)(const char *, const char *);
  next("link", caller);
  const char *old = inside(from), *file = inside(path);
  int done;
  if (file && fails(told(3))) return -1;
  done = real(from, path);
  if (done == 0 && old && file) record(OP_LINK, old, 0, file, length(file));
  return done;
}
