/* The operating system as Linux and other POSIX systems have it. */
#if defined(__linux__)
#define _GNU_SOURCE
#endif
#define _FILE_OFFSET_BITS 64

#include "io/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#endif

_Static_assert(sizeof(off_t) == 8, "offsets must have 64 bits");

/* ---- files ---- */

static int base_of(int folder) {
    return folder == SFT_OS_HERE ? AT_FDCWD : folder;
}

/* Opens relative to a folder, again if a signal came between; 0 or errno. */
static int open_in(int folder, const char *path, int flags, mode_t mode, int *fd) {
    do {
        *fd = openat(base_of(folder), path, flags | O_CLOEXEC, mode);
    } while (*fd < 0 && errno == EINTR);
    return *fd < 0 ? errno : 0;
}

int sft_os_open(const char *path, int *fd) {
    return open_in(SFT_OS_HERE, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, fd);
}

int sft_os_duplicate(int fd, int *copy) {
    *copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return *copy < 0 ? errno : 0;
}

void sft_os_close(int fd) {
    close(fd);
}

static int describe(int failed, const struct stat *status, sft_os_info *info) {
    if (failed != 0) {
        return errno;
    }
    *info = (sft_os_info){
        .size = (uint64_t)status->st_size,
        .regular = S_ISREG(status->st_mode),
        .folder = S_ISDIR(status->st_mode),
        .link = S_ISLNK(status->st_mode),
        .device = (uint64_t)status->st_dev,
        .inode = (uint64_t)status->st_ino,
        .mode = (uint32_t)status->st_mode & 07777,
        .owner = (uint32_t)status->st_uid,
        .group = (uint32_t)status->st_gid,
    };
    return 0;
}

int sft_os_describe(int fd, sft_os_info *info) {
    struct stat status;
    int failed = fstat(fd, &status);
    return describe(failed, &status, info);
}

bool sft_os_is_network(int fd) {
#if defined(__linux__)
    /* From statfs(2) and the kernel's magic.h: AFS, Ceph, CIFS, Coda, FUSE, Lustre, NCP, NFS, SMB,
     * SMB2, v9fs. FUSE is there because most of what it carries (sshfs, s3fs) is remote. */
    static const uint32_t networks[] = {0x5346414f, 0x00c36400, 0xff534d42, 0x73757245,
                                        0x65735546, 0x0bd00bd0, 0x564c,     0x6969,
                                        0x517b,     0xfe534d42, 0x01021997};
    struct statfs status;
    if (fstatfs(fd, &status) != 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        if ((uint32_t)status.f_type == networks[i]) {
            return true;
        }
    }
    return false;
#else
    (void)fd;
    return true;
#endif
}

int64_t sft_os_read_at(int fd, uint64_t offset, void *to, size_t size) {
    ssize_t moved;
    do {
        moved = pread(fd, to, size, (off_t)offset);
    } while (moved < 0 && errno == EINTR);
    return moved < 0 ? -errno : moved;
}

int64_t sft_os_write_at(int fd, uint64_t offset, const void *from, size_t size) {
    if (offset > INT64_MAX) {
        return -EFBIG;
    }
    ssize_t moved;
    do {
        moved = pwrite(fd, from, size, (off_t)offset);
    } while (moved < 0 && errno == EINTR);
    return moved < 0 ? -errno : moved;
}

bool sft_os_has_read(int fd, uint64_t offset) {
#if defined(RWF_NOWAIT)
    char byte;
    struct iovec to = {&byte, 1};
    return preadv2(fd, &to, 1, (off_t)offset, RWF_NOWAIT) >= 0 || errno != EAGAIN;
#else
    (void)fd;
    (void)offset;
    return true;
#endif
}

void sft_os_read_ahead(int fd, uint64_t offset, uint64_t size) {
#if defined(POSIX_FADV_WILLNEED)
    (void)posix_fadvise(fd, (off_t)offset, (off_t)size, POSIX_FADV_WILLNEED);
#else
    (void)fd;
    (void)offset;
    (void)size;
#endif
}

void sft_os_reserve(int fd, uint64_t size) {
#if defined(FALLOC_FL_KEEP_SIZE)
    if (size <= INT64_MAX) {
        (void)fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size);
    }
#else
    (void)fd;
    (void)size;
#endif
}

int sft_os_map(int fd, uint64_t size, bool writable, void **address) {
    if (size > SIZE_MAX) {
        return EFBIG;
    }
    int protection = PROT_READ;
    int flags = MAP_PRIVATE;
    if (writable) {
        protection |= PROT_WRITE;
#if defined(MAP_NORESERVE)
        /* Few pages are ever written to: a host that counts what could be must not refuse the map.
         */
        flags |= MAP_NORESERVE;
#endif
    }
    void *mapped = mmap(NULL, (size_t)size, protection, flags, fd, 0);
    if (mapped == MAP_FAILED) {
        return errno;
    }
    *address = mapped;
    return 0;
}

void sft_os_unmap(const void *address, uint64_t size) {
    munmap((void *)(uintptr_t)address, (size_t)size);
}

static int list(DIR *folder, bool (*each)(void *context, const char *name), void *context) {
    int failure = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL) {
            failure = errno;
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            !each(context, entry->d_name)) {
            break;
        }
    }
    closedir(folder);
    return failure;
}

int sft_os_list(const char *path, bool (*each)(void *context, const char *name), void *context) {
    DIR *folder = opendir(path);
    return folder == NULL ? errno : list(folder, each, context);
}

int sft_os_list_folder(int folder, bool (*each)(void *context, const char *name), void *context) {
    /* A descriptor of its own: listing moves its position, and closedir() closes it. */
    int fd;
    int failure = open_in(folder, ".", O_RDONLY | O_DIRECTORY, 0, &fd);
    if (failure != 0) {
        return failure;
    }
    DIR *opened = fdopendir(fd);
    if (opened == NULL) {
        failure = errno;
        close(fd);
        return failure;
    }
    return list(opened, each, context);
}

/* ---- changing folders and files ---- */

int sft_os_open_folder(int folder, const char *path, int *fd, bool *readable) {
    int failure = open_in(folder, path, O_RDONLY | O_DIRECTORY, 0, fd);
    *readable = failure == 0;
#if defined(O_PATH)
    if (failure == EACCES) {
        failure = open_in(folder, path, O_PATH | O_DIRECTORY, 0, fd);
    }
#endif
    return failure;
}

int sft_os_make_folder(int folder, const char *path, uint32_t mode) {
    return mkdirat(base_of(folder), path, (mode_t)mode) != 0 ? errno : 0;
}

int sft_os_remove_folder(int folder, const char *path) {
    return unlinkat(base_of(folder), path, AT_REMOVEDIR) != 0 ? errno : 0;
}

int sft_os_look(int folder, const char *name, sft_os_info *info) {
    struct stat status;
    int failed = fstatat(base_of(folder), name, &status, AT_SYMLINK_NOFOLLOW);
    return describe(failed, &status, info);
}

int sft_os_look_path(const char *path, sft_os_info *info) {
    struct stat status;
    int failed = fstatat(AT_FDCWD, path, &status, 0);
    return describe(failed, &status, info);
}

bool sft_os_trusts(int folder, const sft_os_info *entry) {
    sft_os_info around = {.size = 0};
    if (entry->owner == (uint32_t)geteuid()) {
        return true;
    }
    return sft_os_describe(folder, &around) == 0 &&
           ((around.mode & 01002) != 01002 || around.owner == entry->owner);
}

int sft_os_read_link(int folder, const char *name, char *text, size_t size) {
    ssize_t length = readlinkat(base_of(folder), name, text, size);
    if (length < 0) {
        return errno;
    }
    if ((size_t)length == size) {
        return ENAMETOOLONG;
    }
    text[length] = '\0';
    return 0;
}

size_t sft_os_longest_name(int folder) {
    long longest = fpathconf(folder, _PC_NAME_MAX);
    return longest < 1 ? 255 : (size_t)longest;
}

int sft_os_open_in(int folder, const char *name, int *fd) {
    return open_in(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0, fd);
}

int sft_os_open_change(const char *path, int *fd, bool *writable) {
    int failure = open_in(SFT_OS_HERE, path, O_RDWR | O_NONBLOCK | O_NOCTTY, 0, fd);
    *writable = failure == 0;
    if (failure == EACCES || failure == EROFS || failure == EPERM || failure == ETXTBSY ||
        failure == EISDIR || failure == ENXIO) {
        failure = sft_os_open(path, fd);
    }
    return failure;
}

/* The way to a descriptor's file that linkat() can follow. */
typedef struct proc_path {
    char text[32];
} proc_path;

#if defined(O_TMPFILE)
static proc_path path_of(int fd) {
    proc_path path;
    snprintf(path.text, sizeof path.text, "/proc/self/fd/%d", fd);
    return path;
}
#endif

int sft_os_create_unnamed(int folder, uint32_t mode, int *fd) {
#if defined(O_TMPFILE)
    int failure = open_in(folder, ".", O_RDWR | O_TMPFILE, (mode_t)mode, fd);
    if (failure != 0) {
        return failure;
    }
    /* Without /proc, in a bare chroot say, it could never be given its name. */
    sft_os_info direct = {.size = 0};
    sft_os_info through_proc = {.size = 0};
    if (sft_os_describe(*fd, &direct) == 0 &&
        sft_os_look_path(path_of(*fd).text, &through_proc) == 0 &&
        direct.device == through_proc.device && direct.inode == through_proc.inode) {
        return 0;
    }
    close(*fd);
#else
    (void)folder;
    (void)mode;
    (void)fd;
#endif
    return ENOTSUP;
}

int sft_os_create(int folder, const char *name, uint32_t mode, int *fd) {
    return open_in(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, (mode_t)mode, fd);
}

int sft_os_name(int fd, int folder, const char *name) {
#if defined(O_TMPFILE)
    int failed = linkat(AT_FDCWD, path_of(fd).text, folder, name, AT_SYMLINK_FOLLOW);
    return failed != 0 ? errno : 0;
#else
    (void)fd;
    (void)folder;
    (void)name;
    return ENOTSUP;
#endif
}

int sft_os_rename(int folder, const char *from, const char *to) {
    return renameat(folder, from, folder, to) != 0 ? errno : 0;
}

int sft_os_rename_to_free(int folder, const char *from, const char *to) {
#if defined(SYS_renameat2) && defined(RENAME_NOREPLACE)
    if (syscall(SYS_renameat2, folder, from, folder, to, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return errno;
    }
#endif
    if (linkat(folder, from, folder, to, 0) != 0) {
        return errno;
    }
    /* The second name is litter if this fails, which the next save removes. */
    unlinkat(folder, from, 0);
    return 0;
}

int sft_os_remove(int folder, const char *name) {
    return unlinkat(folder, name, 0) != 0 ? errno : 0;
}

void sft_os_inherit(int fd, const sft_os_info *other) {
    sft_os_info own = {.size = 0};
    if (sft_os_describe(fd, &own) != 0) {
        return;
    }
    uint32_t mode = other->mode;
    bool same = own.owner == other->owner && own.group == other->group;
    if (!same && fchown(fd, (uid_t)other->owner, (gid_t)other->group) != 0) {
        /* Not ours to give away. What ran with the owner's rights must not run with ours, and a
         * group that could not be kept gets no more than anyone. */
        mode &= 01777;
        if (own.group != other->group && fchown(fd, (uid_t)-1, (gid_t)other->group) != 0) {
            mode &= ~UINT32_C(070) | ((mode & 07) << 3);
        }
    }
    /* It was created with no more than these bits, so a failure leaves it stricter. Giving it away
     * may have cleared some, so what it had before does not tell. */
    int failed = fchmod(fd, (mode_t)mode);
    (void)failed;
}

/* Five seconds: whoever holds a lock that long is not about to let it go. */
#define LOCK_TRIES 2500

int sft_os_lock_file(int fd, bool wait) {
    const struct timespec pause = {0, 2000000L};
    for (int tries = wait ? LOCK_TRIES : 1;; tries--) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            return 0;
        }
        if (errno != EINTR && (errno != EWOULDBLOCK || tries <= 1)) {
            return errno;
        }
        nanosleep(&pause, NULL);
    }
}

int sft_os_flush(int fd) {
    int failed;
    do {
        failed = fsync(fd);
    } while (failed != 0 && errno == EINTR);
    return failed != 0 ? errno : 0;
}

int sft_os_flush_folder(int folder) {
    int failure = sft_os_flush(folder);
    /* File systems that cannot flush a folder by itself keep its order on their own. */
    return failure == EINVAL || failure == ENOTSUP ? 0 : failure;
}

/* Largest single copy: below what the system takes at once, and a whole number of any blocks. */
#define LARGEST_COPY (UINT64_C(1) << 30)

int64_t sft_os_copy(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t size) {
#if defined(SYS_copy_file_range)
    loff_t in = (loff_t)from_offset;
    loff_t out = (loff_t)to_offset;
    ssize_t moved;
    do {
        moved = copy_file_range(from, &in, to, &out,
                                (size_t)(size < LARGEST_COPY ? size : LARGEST_COPY), 0);
    } while (moved < 0 && errno == EINTR);
    return moved < 0 ? -errno : moved;
#else
    (void)from;
    (void)from_offset;
    (void)to;
    (void)to_offset;
    (void)size;
    return -ENOSYS;
#endif
}

int64_t sft_os_send(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t size) {
#if defined(__linux__)
    if (lseek(to, (off_t)to_offset, SEEK_SET) < 0) {
        return -errno;
    }
    off_t in = (off_t)from_offset;
    ssize_t moved;
    do {
        moved = sendfile(to, from, &in, (size_t)(size < LARGEST_COPY ? size : LARGEST_COPY));
    } while (moved < 0 && errno == EINTR);
    return moved < 0 ? -errno : moved;
#else
    (void)from;
    (void)from_offset;
    (void)to;
    (void)to_offset;
    (void)size;
    return -ENOSYS;
#endif
}

/* ---- machine ---- */

void *sft_os_take_aligned(size_t size, size_t alignment) {
    void *memory;
    return posix_memalign(&memory, alignment, size == 0 ? 1 : size) == 0 ? memory : NULL;
}

void *sft_os_take_large_pages(size_t size) {
    void *memory = sft_os_take_aligned(size, SFT_OS_LARGE_PAGE);
    if (memory == NULL) {
        return NULL;
    }
#if defined(MADV_HUGEPAGE)
    /* Whole pages only, so that none reaches over what was asked for. A wish: if it is refused, the
     * memory is only slower. */
    (void)madvise(memory, size & ~(size_t)(SFT_OS_LARGE_PAGE - 1), MADV_HUGEPAGE);
#endif
    return memory;
}

void sft_os_random(uint64_t words[2]) {
#if defined(__linux__)
    if (getrandom(words, 2 * sizeof words[0], GRND_NONBLOCK) == (ssize_t)(2 * sizeof words[0])) {
        return;
    }
#endif
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    words[0] = (uint64_t)now.tv_nsec * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)now.tv_sec;
    words[1] = (uint64_t)(uintptr_t)words * UINT64_C(0xd6e8feb86659fd93) ^ (uint64_t)getpid();
}

uint32_t sft_os_processors(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (uint32_t)count;
}

/* ---- threads ---- */

int sft_os_mutex_init(sft_os_mutex *mutex) {
    return pthread_mutex_init(mutex, NULL);
}

void sft_os_mutex_free(sft_os_mutex *mutex) {
    pthread_mutex_destroy(mutex);
}

void sft_os_lock(sft_os_mutex *mutex) {
    pthread_mutex_lock(mutex);
}

void sft_os_unlock(sft_os_mutex *mutex) {
    pthread_mutex_unlock(mutex);
}

int sft_os_thread_start(sft_os_thread *thread, void *(*run)(void *), void *context) {
    return pthread_create(thread, NULL, run, context);
}

void sft_os_thread_join(sft_os_thread thread) {
    pthread_join(thread, NULL);
}
