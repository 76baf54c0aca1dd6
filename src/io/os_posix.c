/* The operating system as Linux and other POSIX systems have it. */
#if defined(__linux__)
#define _GNU_SOURCE
#else
#define _POSIX_C_SOURCE 200809L
#endif
#define _FILE_OFFSET_BITS 64

#include "io/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/random.h>
#include <sys/vfs.h>
#endif

_Static_assert(sizeof(off_t) == 8, "offsets must have 64 bits");

/* ---- files ---- */

int sft_os_open(const char *path, int *fd) {
    do {
        *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    } while (*fd < 0 && errno == EINTR);
    return *fd < 0 ? errno : 0;
}

int sft_os_duplicate(int fd, int *copy) {
    *copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return *copy < 0 ? errno : 0;
}

void sft_os_close(int fd) {
    close(fd);
}

int sft_os_describe(int fd, sft_os_info *info) {
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return errno;
    }
    info->size = (uint64_t)status.st_size;
    info->regular = S_ISREG(status.st_mode);
    info->folder = S_ISDIR(status.st_mode);
    return 0;
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
    ssize_t moved;
    do {
        moved = pwrite(fd, from, size, (off_t)offset);
    } while (moved < 0 && errno == EINTR);
    return moved < 0 ? -errno : moved;
}

int sft_os_map(int fd, uint64_t size, const void **address) {
    if (size > SIZE_MAX) {
        return EFBIG;
    }
    void *mapped = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped == MAP_FAILED) {
        return errno;
    }
    *address = mapped;
    return 0;
}

void sft_os_unmap(const void *address, uint64_t size) {
    munmap((void *)(uintptr_t)address, (size_t)size);
}

int sft_os_list(const char *path, bool (*each)(void *context, const char *name), void *context) {
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return errno;
    }
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

/* ---- machine ---- */

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
