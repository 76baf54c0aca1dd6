/*
 * One safetensors file: open, look up, view, read.
 *
 * Opening checks every rule of docs/format.md; no tensor is handed out of a file
 * that breaks one. After that a handle never changes: any number of threads may
 * use it at once, without locks. Only sft_close() must come after all of them.
 */
#ifndef SFT_READER_H
#define SFT_READER_H

#include <sft/base.h>
#include <sft/header.h>
#include <sft/slice.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sft_file sft_file;

/*
 * How the data of a file is reached.
 *
 * A mapped file gives views without a copy. Its price: if someone cuts the file
 * short while it is mapped, touching a view beyond its new end raises SIGBUS.
 * sft_read() and its sisters never do: they read by positioned reads, mapped or
 * not, and report SFT_FILE_SHRANK. Only with `no_descriptor` they copy from the mapping.
 */
typedef enum sft_access {
    SFT_ACCESS_AUTO = 0, /* map on local file systems, read on network ones */
    SFT_ACCESS_MAP = 1,  /* map, or fail with SFT_MAP_FAILED */
    SFT_ACCESS_READ = 2  /* never map: sft_data() returns NULL */
} sft_access;

typedef struct sft_open_options {
    size_t struct_size; /* sizeof(sft_open_options) */
    sft_access access;
    sft_limits limits;
    const sft_allocator *allocator; /* NULL: malloc */
    bool writable;                  /* map copy-on-write, for sft_data_writable() */
    /* Keep no descriptor of a file that is mapped, so that any number may be open at once.
     * sft_read() then gives what sft_data() shows, and may raise SIGBUS as that may. */
    bool no_descriptor;
} sft_open_options;

#define SFT_OPEN_OPTIONS                                                                           \
    { sizeof(sft_open_options), SFT_ACCESS_AUTO, {0, 0, 0, 0}, NULL, false, false }

/*
 * A file that lies anywhere: the caller's own functions give its bytes. All but
 * `size` and `read_at` may be NULL. They may be called from several threads at
 * once if the handle is.
 */
typedef struct sft_source {
    void *context;
    /* Stores the size in bytes; returns 0, or an errno value. */
    int (*size)(void *context, uint64_t *size);
    /*
     * Reads up to `size` bytes at `offset` into `to`. Returns how many it read (fewer is
     * fine and is followed by another call), 0 at the end of the file, or minus an errno value.
     */
    int64_t (*read_at)(void *context, uint64_t offset, void *to, size_t size);
    /* Returns the whole file in memory, valid until `close`, or NULL where it cannot. */
    const void *(*map)(void *context, uint64_t size);
    /* Called once, by sft_close(), or by sft_open_source() if it fails; after
     * SFT_INVALID_ARGUMENT the source is still the caller's. */
    void (*close)(void *context);
} sft_source;

/*
 * sft_open() - opens and checks a file.
 *
 * @path: its path, in the system's encoding
 * @options: NULL for defaults
 * @file: receives the handle, which the caller closes with sft_close()
 * @error: NULL, or receives what is wrong, where
 *
 * Returns SFT_OK, SFT_NO_MEMORY, SFT_INVALID_ARGUMENT, SFT_OPEN_FAILED,
 * SFT_NOT_A_FILE, SFT_READ_FAILED, SFT_MAP_FAILED, SFT_FILE_SHRANK, or any
 * status from 100 to 128. Any thread.
 */
SFT_API SFT_MUST_USE sft_status sft_open(const char *path, const sft_open_options *options,
                                         sft_file **file, sft_error *error);

/*
 * sft_open_fd() - the same for an open file descriptor of a regular file. It is
 * duplicated: the caller keeps fd, may close it at once, and its position is
 * neither used nor moved.
 */
SFT_API SFT_MUST_USE sft_status sft_open_fd(int fd, const sft_open_options *options,
                                            sft_file **file, sft_error *error);

/*
 * sft_open_memory() - the same for a file that is in memory. Views point into
 * it; the caller keeps it, unchanged, until after sft_close().
 */
SFT_API SFT_MUST_USE sft_status sft_open_memory(const void *bytes, uint64_t size,
                                                const sft_open_options *options, sft_file **file,
                                                sft_error *error);

/*
 * sft_open_source() - the same for a file that the caller's functions give.
 * `source` is copied. With SFT_ACCESS_AUTO its `map` is used where it has one.
 */
SFT_API SFT_MUST_USE sft_status sft_open_source(const sft_source *source,
                                                const sft_open_options *options, sft_file **file,
                                                sft_error *error);

/* sft_close() - frees the handle, its header and its views. NULL is fine. */
SFT_API void sft_close(sft_file *file);

/* sft_file_header() - the file's header; it lives as long as the handle. */
SFT_API const sft_header *sft_file_header(const sft_file *file);

/* sft_file_size() - the file's size in bytes, at open. */
SFT_API uint64_t sft_file_size(const sft_file *file);

/* The three that are used most, as for sft_header_count(), _at() and _find(). */
SFT_API uint64_t sft_count(const sft_file *file);
SFT_API const sft_tensor *sft_at(const sft_file *file, uint64_t index);
SFT_API const sft_tensor *sft_find(const sft_file *file, const char *name, size_t length);

/*
 * sft_data() - the bytes of a tensor where they lie, without a copy: end - begin
 * of them, valid until sft_close(). Aligned no better than the file places them
 * (files written by this library: to 8 bytes at least). Of a mapped file the
 * pages are private and read-only.
 *
 * Returns NULL where nothing is mapped; an empty tensor of a mapped file has some
 * pointer that is not NULL.
 */
SFT_API const void *sft_data(const sft_file *file, const sft_tensor *tensor);

/*
 * sft_data_writable() - the same bytes, for a caller who changes them. The file was opened with
 * `writable`, which maps it copy-on-write: a page that is written to becomes memory of this process
 * alone; neither the file nor anyone else who reads or maps it sees the change, but sft_data() and
 * whoever shares this handle do. What is written beyond the tensor's own bytes harms its
 * neighbours.
 *
 * Returns NULL where nothing is mapped so: other options, memory, the caller's own source.
 */
SFT_API void *sft_data_writable(const sft_file *file, const sft_tensor *tensor);

/*
 * sft_read() - copies a tensor into the caller's buffer.
 *
 * @file: the handle
 * @tensor: one of its tensors
 * @to: room for the tensor
 * @size: bytes at to; must be the tensor's size exactly
 * @error: NULL, or receives what is wrong
 *
 * Returns SFT_OK, SFT_INVALID_ARGUMENT, SFT_BUFFER_SIZE, SFT_READ_FAILED or
 * SFT_FILE_SHRANK; the buffer then holds nothing of use. Any thread.
 */
SFT_API SFT_MUST_USE sft_status sft_read(const sft_file *file, const sft_tensor *tensor, void *to,
                                         uint64_t size, sft_error *error);

/*
 * sft_read_part() - copies some bytes of a tensor: what a program needs that
 * passes large tensors on piece by piece.
 *
 * @offset: first byte, counted from the start of the tensor
 * @size: how many; offset + size must not exceed the tensor's size
 *
 * Returns as sft_read() does; SFT_OUT_OF_BOUNDS for bytes outside the tensor. Any thread.
 */
SFT_API SFT_MUST_USE sft_status sft_read_part(const sft_file *file, const sft_tensor *tensor,
                                              uint64_t offset, void *to, uint64_t size,
                                              sft_error *error);

/*
 * sft_read_slice() - copies a part of a tensor, densely packed, outermost
 * dimension first. Only the bytes needed are read, in as few and as large
 * operations as their places allow: runs closer than a page are read with
 * what lies between.
 *
 * @ranges, @count: as for sft_slice_shape()
 * @to, @size: room for the result; size must be what sft_slice_shape() says
 *
 * Returns as sft_slice_shape() and sft_read() do; SFT_NO_MEMORY. Any thread.
 */
SFT_API SFT_MUST_USE sft_status sft_read_slice(const sft_file *file, const sft_tensor *tensor,
                                               const sft_range *ranges, uint32_t count, void *to,
                                               uint64_t size, sft_error *error);

/* One line of a planned read: a tensor, or a slice of it, and where it goes. */
typedef struct sft_read_request {
    const sft_file *file; /* the files of one plan may differ */
    const sft_tensor *tensor;
    const sft_range *ranges; /* NULL for the whole tensor */
    uint32_t range_count;
    void *to;
    uint64_t size; /* bytes at to, exactly what is asked for */
} sft_read_request;

typedef struct sft_read_options {
    size_t struct_size;             /* sizeof(sft_read_options) */
    uint32_t threads;               /* 0: chosen from the machine's cores; 1: the caller's alone */
    const sft_allocator *allocator; /* NULL: malloc */
} sft_read_options;

#define SFT_READ_OPTIONS                                                                           \
    { sizeof(sft_read_options), 0, NULL }

/*
 * sft_read_many() - reads many tensors into many buffers, with several threads,
 * in the order of the files, neighbours together. Buffers must not overlap.
 *
 * @requests, @count: what is wanted
 * @options: NULL for defaults
 * @error: NULL, or receives the first failure, with the tensor's name
 *
 * All requests are checked before the first byte is read. On failure the rest is
 * called off, and no buffer holds anything of use.
 *
 * Returns as sft_read_slice() does. Any thread.
 */
SFT_API SFT_MUST_USE sft_status sft_read_many(const sft_read_request *requests, uint64_t count,
                                              const sft_read_options *options, sft_error *error);

#ifdef __cplusplus
}
#endif

#endif /* SFT_READER_H */
