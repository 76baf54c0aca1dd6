/*
 * The real system calls, with failures on demand: io/os_posix.c compiled once more
 * with macros around what it calls. The linker then takes this one instead of the
 * library's. Include first of all.
 */
#ifndef SFT_TESTS_FAULTS_H
#define SFT_TESTS_FAULTS_H

#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

static struct faults {
    uint64_t calls;   /* made since all was set to zero */
    uint64_t fail_at; /* the number of the call that fails; 0: none */
    int error;        /* with this errno value */
    bool full;        /* from then on, every call that needs room on the disk fails too */
    bool interrupts;  /* every other call that waits is interrupted by a signal first */
    bool interrupted;
    bool short_transfers; /* reads, writes and copies move a third of what they could */
    bool no_unnamed;      /* files without a name are unknown */
    bool no_proc;         /* /proc is not there */
    bool no_rename_to_free;
    bool no_copy; /* copy_file_range() is unknown */
    bool no_send; /* sendfile() takes no files */
    bool no_locks;
    uint64_t wrong_at; /* the number of the write that stores a wrong byte; 0: none */
    uint64_t writes;
    void (*between)(void); /* called once before the new file gets its name */
} faults;

static inline bool fault_if(bool now, int error) {
    if (now) {
        errno = error;
    }
    return now;
}

static inline bool fault(void) {
    return fault_if(++faults.calls == faults.fail_at, faults.error);
}

/* For calls that need room on the disk. */
static inline bool fault_room(void) {
    bool full = faults.full && faults.fail_at != 0 && faults.calls >= faults.fail_at;
    return fault() || fault_if(full, faults.error);
}

/* For calls that a signal can interrupt. */
static inline bool fault_signal(void) {
    faults.interrupted = faults.interrupts && !faults.interrupted;
    return fault_if(faults.interrupted, EINTR);
}

static inline size_t fault_size(size_t size) {
    return faults.short_transfers && size > 1 ? (size + 2) / 3 : size;
}

/* What is written in place of some bytes: themselves, but for one write. */
static inline const void *fault_bytes(const void *from, size_t size) {
    static unsigned char wrong[8 * 1024 * 1024];
    if (++faults.writes != faults.wrong_at || size == 0 || size > sizeof wrong) {
        return from;
    }
    memcpy(wrong, from, size);
    wrong[size - 1] ^= 1;
    return wrong;
}

static inline bool fault_open(int flags) {
    bool unnamed = faults.no_unnamed && (flags & O_TMPFILE) == O_TMPFILE;
    return fault_signal() || fault_if(unnamed, EOPNOTSUPP) || fault();
}

static inline bool fault_look(const char *path) {
    return fault_if(faults.no_proc && strncmp(path, "/proc/", 6) == 0, ENOENT) || fault();
}

static inline bool fault_name(void) {
    if (faults.between != NULL) {
        void (*between)(void) = faults.between;
        faults.between = NULL;
        between();
    }
    return fault_room();
}

#define openat(folder, path, flags, mode)                                                          \
    (fault_open(flags) ? -1 : openat(folder, path, flags, mode))
#define fstat(fd, status) (fault() ? -1 : fstat(fd, status))
#define fstatat(folder, path, status, flags)                                                       \
    (fault_look(path) ? -1 : fstatat(folder, path, status, flags))
#define readlinkat(folder, path, to, size) (fault() ? -1 : readlinkat(folder, path, to, size))
#define opendir(path) (fault() ? NULL : opendir(path))
#define fdopendir(fd) (fault() ? NULL : fdopendir(fd))
#define pread(fd, to, size, at)                                                                    \
    (fault_signal() || fault() ? -1 : pread(fd, to, fault_size(size), at))
#define pwrite(fd, from, size, at)                                                                 \
    (fault_signal() || fault_room()                                                                \
         ? -1                                                                                      \
         : pwrite(fd, fault_bytes(from, fault_size(size)), fault_size(size), at))
#define copy_file_range(from, in, to, out, size, flags)                                            \
    (fault_signal() || fault_if(faults.no_copy, EXDEV) || fault_room()                             \
         ? -1                                                                                      \
         : copy_file_range(from, in, to, out, fault_size(size), flags))
#define sendfile(to, from, in, size)                                                               \
    (fault_signal() || fault_if(faults.no_send, EINVAL) || fault_room()                            \
         ? -1                                                                                      \
         : sendfile(to, from, in, fault_size(size)))
#define lseek(fd, to, whence) (fault() ? -1 : lseek(fd, to, whence))
#define fsync(fd) (fault_signal() || fault_room() ? -1 : fsync(fd))
#define flock(fd, how)                                                                             \
    (fault_signal() || fault_if(faults.no_locks, ENOLCK) || fault() ? -1 : flock(fd, how))
#define fchown(fd, owner, group) (fault() ? -1 : fchown(fd, owner, group))
#define fchmod(fd, mode) (fault() ? -1 : fchmod(fd, mode))
#define mkdirat(folder, path, mode) (fault_room() ? -1 : mkdirat(folder, path, mode))
#define linkat(a, from, b, to, flags) (fault_name() ? -1 : linkat(a, from, b, to, flags))
#define renameat(a, from, b, to) (fault_name() ? -1 : renameat(a, from, b, to))
#define unlinkat(folder, name, flags) (fault() ? -1 : unlinkat(folder, name, flags))
/* Only renameat2() is called so. */
#define syscall(...)                                                                               \
    (fault_if(faults.no_rename_to_free, EINVAL) || fault_name() ? -1 : syscall(__VA_ARGS__))

#include "io/os_posix.c"

#undef openat
#undef fstat
#undef fstatat
#undef readlinkat
#undef opendir
#undef fdopendir
#undef pread
#undef pwrite
#undef copy_file_range
#undef sendfile
#undef lseek
#undef fsync
#undef flock
#undef fchown
#undef fchmod
#undef mkdirat
#undef linkat
#undef renameat
#undef unlinkat
#undef syscall

#endif
