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
    bool link;       /* a symbolic link itself: only sft_os_look() sees one */
    uint64_t device; /* device and inode together tell one file from all others */
    uint64_t inode;
    uint32_t mode; /* permission bits */
    uint32_t owner;
    uint32_t group;
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

/* False if reading a place has to wait for the disk, as far as the system tells. */
bool sft_os_has_read(int fd, uint64_t offset);

/* Lets the system begin to read what will be asked for soon. Only a hint. */
void sft_os_read_ahead(int fd, uint64_t offset, uint64_t size);

/* Gives a file its room on the disk before it is written, which makes writing cheaper and keeps it
 * in one piece. A wish: where it cannot be had, writing tells why. */
void sft_os_reserve(int fd, uint64_t size);

/* A private mapping of a whole file, to be read or also to be written to; size is not 0. */
int sft_os_map(int fd, uint64_t size, bool writable, void **address);
void sft_os_unmap(const void *address, uint64_t size);

/* Calls `each` for the names in a folder until it returns false; without "." and "..". */
int sft_os_list(const char *path, bool (*each)(void *context, const char *name), void *context);
int sft_os_list_folder(int folder, bool (*each)(void *context, const char *name), void *context);

/* ---- changing folders and files ---- */

/* Stands for the working directory where a folder is asked for. */
#define SFT_OS_HERE (-1)

/* A folder to work in, so that renaming what lies above it does no harm. `readable` receives
 * whether it can also be listed and flushed. */
int sft_os_open_folder(int folder, const char *path, int *fd, bool *readable);

/* Makes a folder, to which the umask applies; removes one that is empty. */
int sft_os_make_folder(int folder, const char *path, uint32_t mode);
int sft_os_remove_folder(int folder, const char *path);

/* What a name in a folder stands for, be it a symbolic link; what a path leads to. */
int sft_os_look(int folder, const char *name, sft_os_info *info);
int sft_os_look_path(const char *path, sft_os_info *info);

/*
 * Whether what stands in a folder may be followed or replaced: in a folder in which all may make
 * files and remove only their own, as in /tmp, another's link or file is a trap. The rule is
 * Linux's for what it opens itself (fs.protected_symlinks, fs.protected_regular).
 */
bool sft_os_trusts(int folder, const sft_os_info *entry);

/* The text of a symbolic link, ended by NUL. ENAMETOOLONG where it does not fit. */
int sft_os_read_link(int folder, const char *name, char *text, size_t size);

/* The longest file name that a folder takes, in bytes. */
size_t sft_os_longest_name(int folder);

/* Opens a name in a folder for reading; a symbolic link is ELOOP. */
int sft_os_open_in(int folder, const char *name, int *fd);

/* Opens an existing file to change it; where that is not allowed, for reading only. */
int sft_os_open_change(const char *path, int *fd, bool *writable);

/* A new file in a folder: without a name (ENOTSUP where the system cannot name it later), or
 * with one that must be free. The umask applies to mode. */
int sft_os_create_unnamed(int folder, uint32_t mode, int *fd);
int sft_os_create(int folder, const char *name, uint32_t mode, int *fd);

/* Gives a file without a name one that must be free. */
int sft_os_name(int fd, int folder, const char *name);

/* Renames within a folder; replaces what is called `to`, or gives EEXIST. */
int sft_os_rename(int folder, const char *from, const char *to);
int sft_os_rename_to_free(int folder, const char *from, const char *to);
int sft_os_remove(int folder, const char *name);

/* Gives a new file the owner, group and mode of another as far as the system permits, and never
 * lets anyone at it whom the other kept out. */
void sft_os_inherit(int fd, const sft_os_info *other);

/* Locks a whole file against others who ask for this lock; closing the file ends it.
 * EWOULDBLOCK if another has it, with `wait` only after some seconds. */
int sft_os_lock_file(int fd, bool wait);

/* Flushes a file or a folder to the disk. */
int sft_os_flush(int fd);
int sft_os_flush_folder(int folder);

/* Copy within the system, without a detour through memory; as sft_os_write_at. The second needs
 * no support by the file system, and moves the position of `to`. */
int64_t sft_os_copy(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t size);
int64_t sft_os_send(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t size);

/* ---- machine ---- */

/* Bytes of a large page, where the system has them: elsewhere it is only a size. */
#define SFT_OS_LARGE_PAGE (UINT32_C(2) << 20)

/* Memory for free() at a multiple of a power of two; NULL where there is none. */
void *sft_os_take_aligned(size_t size, size_t alignment);

/*
 * Memory of at least that size, for free(), on large pages where the system has them: the first
 * touch of a page of 4 KiB costs as much as filling it. NULL where there is none.
 */
void *sft_os_take_large_pages(size_t size);

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
