/*
 * What the library asks of the operating system. One file a platform carries it
 * out (os_posix.c); nothing else makes a system call that differs between them.
 *
 * Functions that return int give 0 or an errno value. Interrupted calls (EINTR)
 * are repeated here, once for all.
 */
#ifndef SFT_SRC_IO_OS_H
#define SFT_SRC_IO_OS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- files ---- */

typedef struct sft_os_info {
    uint64_t size;
    bool regular;
    bool folder;
} sft_os_info;

/* Opens for reading. Never waits: a pipe without a writer opens too, and is no regular file. */
int sft_os_open(const char *path, int *fd);
int sft_os_duplicate(int fd, int *copy);
void sft_os_close(int fd);
int sft_os_describe(int fd, sft_os_info *info);

/* True where the file lies on a network: mapping it is slow, and a lost server raises SIGBUS. */
bool sft_os_is_network(int fd);

/* One read or write; returns the bytes moved, 0 at the end of the file, or minus an errno value. */
int64_t sft_os_read_at(int fd, uint64_t offset, void *to, size_t size);
int64_t sft_os_write_at(int fd, uint64_t offset, const void *from, size_t size);

/* A private, read-only mapping of a whole file; size is not 0. */
int sft_os_map(int fd, uint64_t size, const void **address);
void sft_os_unmap(const void *address, uint64_t size);

/* Calls `each` for the names in a folder until it returns false; without "." and "..". */
int sft_os_list(const char *path, bool (*each)(void *context, const char *name), void *context);

/* ---- machine ---- */

/* Unpredictable, for seeds. Where the system has no source, the time and an address must do. */
void sft_os_random(uint64_t words[2]);
uint32_t sft_os_processors(void);

/* ---- threads ---- */

typedef pthread_mutex_t sft_os_mutex;
typedef pthread_t sft_os_thread;

int sft_os_mutex_init(sft_os_mutex *mutex);
void sft_os_mutex_free(sft_os_mutex *mutex);
void sft_os_lock(sft_os_mutex *mutex);
void sft_os_unlock(sft_os_mutex *mutex);
int sft_os_thread_start(sft_os_thread *thread, void *(*run)(void *), void *context);
void sft_os_thread_join(sft_os_thread thread);

#endif
