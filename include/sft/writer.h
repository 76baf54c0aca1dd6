/*
 * New safetensors files, written in one call or as a stream.
 *
 * The same tensors and metadata always give the same bytes: tensors sorted by
 * dtype (U64 first, BOOL last) and then by name, metadata keys sorted, compact
 * JSON, padded with spaces so that the data starts at a multiple of 8 bytes.
 *
 * The file is written beside its target, without a name where the system allows,
 * and takes the target's place in one step when it is whole. Until then, and on
 * any failure, an existing target stays as it was, also for those who have it
 * open or mapped. A target that is a symbolic link is written through. A file
 * that is replaced keeps its mode. A link or file that a stranger has put into a
 * folder open to all (/tmp, say) is refused: SFT_OPEN_FAILED.
 */
#ifndef SFT_WRITER_H
#define SFT_WRITER_H

#include <sft/base.h>
#include <sft/dtype.h>
#include <sft/header.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A tensor to be written, and its bytes. */
typedef struct sft_tensor_data {
    const char *name; /* UTF-8; may hold NUL */
    size_t name_length;
    sft_dtype dtype;
    uint32_t rank;
    const uint64_t *shape; /* outermost first; may be NULL if rank is 0 */
    const void *data;      /* little-endian, dense; may be NULL if size is 0 */
    uint64_t size;         /* bytes at data; must be what dtype and shape need */
} sft_tensor_data;

typedef struct sft_write_options {
    size_t struct_size;                 /* sizeof(sft_write_options) */
    const sft_metadata_entry *metadata; /* the entries of __metadata__ */
    uint64_t metadata_count;            /* how many */
    bool empty_metadata;                /* write "__metadata__":{} where there are none */
    bool durable;                       /* flush file and folder to the disk before success */
    bool keep_existing; /* never replace: SFT_ALREADY_EXISTS if the target is there */
    uint64_t alignment; /* data starts at a multiple of this power of two, 8 to 2^20; 0: 8 */
    const sft_allocator *allocator; /* NULL: malloc */
    /*
     * Called now and then from a thread that writes, with bytes written and bytes in all. If it
     * returns false the call ends with SFT_CANCELLED and leaves nothing behind. May be NULL.
     */
    bool (*progress)(void *context, uint64_t done, uint64_t total);
    void *progress_context;
} sft_write_options;

#define SFT_WRITE_OPTIONS                                                                          \
    { sizeof(sft_write_options), NULL, 0, false, false, false, 0, NULL, NULL, NULL }

/*
 * sft_write() - writes tensors that are in memory to a file.
 *
 * @path: the target
 * @tensors, @count: what to write, in any order; count may be 0
 * @options: NULL for defaults
 * @error: NULL, or receives what is wrong
 *
 * Returns SFT_OK, SFT_NO_MEMORY, SFT_INVALID_ARGUMENT, SFT_BUFFER_SIZE (size is
 * not what the shape needs), SFT_SIZE_OVERFLOW, SFT_PARTIAL_BYTE,
 * SFT_RANK_TOO_LARGE (above 64), SFT_INVALID_NAME, SFT_RESERVED_NAME,
 * SFT_DUPLICATE_NAME, SFT_HEADER_TOO_LARGE (above 100,000,000 bytes),
 * SFT_OPEN_FAILED, SFT_NOT_A_FILE, SFT_ALREADY_EXISTS, SFT_WRITE_FAILED or
 * SFT_CANCELLED. After any but the first the target is as it was, and nothing is
 * left beside it; one exception: with `durable`, an SFT_WRITE_FAILED whose message says so means
 * that the new file is in place but its folder could not be flushed. Any thread.
 */
SFT_API SFT_MUST_USE sft_status sft_write(const char *path, const sft_tensor_data *tensors,
                                          uint64_t count, const sft_write_options *options,
                                          sft_error *error);

/*
 * sft_encode_size() - how many bytes the file of these tensors has. `data` of the
 * tensors is not looked at. Returns as sft_write() does.
 */
SFT_API SFT_MUST_USE sft_status sft_encode_size(const sft_tensor_data *tensors, uint64_t count,
                                                const sft_write_options *options, uint64_t *size,
                                                sft_error *error);

/*
 * sft_encode() - the same bytes as sft_write(), into memory.
 *
 * @to, @size: room for the file; size must be what sft_encode_size() says, else SFT_BUFFER_SIZE
 */
SFT_API SFT_MUST_USE sft_status sft_encode(const sft_tensor_data *tensors, uint64_t count,
                                           const sft_write_options *options, void *to,
                                           uint64_t size, sft_error *error);

/*
 * The streaming writer, for models that do not fit into memory:
 *
 *   sft_writer_new, sft_writer_declare for each tensor, sft_writer_begin,
 *   sft_writer_put for the bytes, sft_writer_commit, sft_writer_free.
 *
 * sft_writer_put() may be called by many threads at once; the others by one, when
 * no put is under way. The progress callback must not call the writer. A call that
 * fails for lack of memory or disk makes the writer useless: only
 * sft_writer_free() is left. Extra memory: the header, and the places of the
 * pieces that have come, a few bytes each. Pieces of one tensor that come neither in
 * rising order nor next to each other cost time in proportion to their number squared.
 */
typedef struct sft_writer sft_writer;

/*
 * sft_writer_new() - begins a file. Nothing is written yet.
 *
 * @path: the target; copied
 * @options: NULL for defaults; copied, metadata included
 * @writer: receives the handle, which the caller frees with sft_writer_free()
 * @error: NULL, or receives what is wrong
 *
 * Returns SFT_OK, SFT_NO_MEMORY, SFT_INVALID_ARGUMENT, SFT_INVALID_NAME or
 * SFT_DUPLICATE_NAME (of metadata keys).
 */
SFT_API SFT_MUST_USE sft_status sft_writer_new(const char *path, const sft_write_options *options,
                                               sft_writer **writer, sft_error *error);

/*
 * sft_writer_declare() - announces a tensor.
 *
 * @name, @name_length, @dtype, @shape, @rank: as in sft_tensor_data; copied
 * @index: NULL, or receives the number by which sft_writer_put() knows the tensor: 0 for
 *     the first that was declared, 1 for the next…
 *
 * Returns SFT_OK, SFT_NO_MEMORY, SFT_INVALID_ARGUMENT, SFT_WRONG_STATE,
 * SFT_INVALID_NAME, SFT_RESERVED_NAME, SFT_SIZE_OVERFLOW, SFT_PARTIAL_BYTE or
 * SFT_RANK_TOO_LARGE. A name that was declared before is found by sft_writer_begin().
 */
SFT_API SFT_MUST_USE sft_status sft_writer_declare(sft_writer *writer, const char *name,
                                                   size_t name_length, sft_dtype dtype,
                                                   const uint64_t *shape, uint32_t rank,
                                                   uint64_t *index, sft_error *error);

/*
 * sft_writer_begin() - fixes the layout, makes the new file and writes its header.
 *
 * Returns SFT_OK, SFT_NO_MEMORY, SFT_WRONG_STATE, SFT_DUPLICATE_NAME,
 * SFT_SIZE_OVERFLOW, SFT_HEADER_TOO_LARGE, SFT_OPEN_FAILED, SFT_NOT_A_FILE,
 * SFT_ALREADY_EXISTS, SFT_WRITE_FAILED or SFT_CANCELLED.
 */
SFT_API SFT_MUST_USE sft_status sft_writer_begin(sft_writer *writer, sft_error *error);

/*
 * sft_writer_put() - delivers bytes of a tensor. Pieces may come in any order;
 * bytes that come twice are written twice, the later call counts.
 *
 * @index: the tensor's number
 * @offset: where the piece begins, in bytes from the start of the tensor
 * @data, @size: the piece
 *
 * Returns SFT_OK, SFT_NO_MEMORY, SFT_INVALID_ARGUMENT, SFT_WRONG_STATE,
 * SFT_OUT_OF_BOUNDS, SFT_WRITE_FAILED or SFT_CANCELLED. Many threads at once.
 */
SFT_API SFT_MUST_USE sft_status sft_writer_put(sft_writer *writer, uint64_t index, uint64_t offset,
                                               const void *data, uint64_t size, sft_error *error);

/*
 * sft_writer_commit() - gives the file its name. Every byte must have come.
 *
 * Returns SFT_OK, SFT_WRONG_STATE, SFT_INCOMPLETE (which tensor, and its first
 * missing byte in the message; the writer goes on: deliver it and commit again),
 * SFT_ALREADY_EXISTS or SFT_WRITE_FAILED.
 */
SFT_API SFT_MUST_USE sft_status sft_writer_commit(sft_writer *writer, sft_error *error);

/* sft_writer_free() - frees the writer; without a commit before it, nothing is left. NULL is fine.
 */
SFT_API void sft_writer_free(sft_writer *writer);

#ifdef __cplusplus
}
#endif

#endif /* SFT_WRITER_H */
