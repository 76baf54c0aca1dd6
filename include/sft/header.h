/*
 * What the header of a file says: its tensors and its metadata.
 *
 * A header can be had from an open file (sft_file_header in sft/reader.h) or
 * parsed on its own from its bytes and the size of the file it belongs to: enough
 * for a file that lies on a server, of which only the beginning was fetched.
 */
#ifndef SFT_HEADER_H
#define SFT_HEADER_H

#include <sft/base.h>
#include <sft/dtype.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One tensor as the header describes it. It belongs to the header, and is never
 * changed. The struct may grow at its end: do not copy it and do not index from
 * one to the next; use sft_header_at().
 */
typedef struct sft_tensor {
    const char *name;   /* UTF-8, unescaped; may hold NUL, and is not ended by one */
    size_t name_length; /* bytes */
    sft_dtype dtype;
    uint32_t rank;         /* dimensions at shape */
    const uint64_t *shape; /* outermost first; NULL if rank is 0 */
    uint64_t begin;        /* first byte, counted from the start of the data */
    uint64_t end;          /* one past the last byte, likewise */
} sft_tensor;

/* A name and a value of the metadata, or of metadata to be written. Any UTF-8, NUL included. */
typedef struct sft_metadata_entry {
    const char *key;
    size_t key_length;
    const char *value;
    size_t value_length;
} sft_metadata_entry;

/*
 * Limits that a header must keep. Zero stands for the default. A file beyond
 * them is refused at open, with the status named here.
 */
typedef struct sft_limits {
    uint64_t header_bytes; /* SFT_HEADER_TOO_LARGE; default 100,000,000, at most 2^32 - 16 */
    uint64_t tensors;      /* SFT_TOO_MANY_TENSORS; default: as many as the header holds */
    uint64_t memory;       /* SFT_MEMORY_LIMIT, bytes taken for the header; default: no bound
                              but a small multiple of the header's own bytes */
    uint32_t rank;         /* SFT_RANK_TOO_LARGE; default 64 */
} sft_limits;

#define SFT_DEFAULT_HEADER_BYTES UINT64_C(100000000)
#define SFT_DEFAULT_RANK 64U

typedef struct sft_header sft_header;

typedef struct sft_header_options {
    size_t struct_size; /* sizeof(sft_header_options) */
    sft_limits limits;
    const sft_allocator *allocator; /* NULL: malloc */
} sft_header_options;

#define SFT_HEADER_OPTIONS                                                                         \
    { sizeof(sft_header_options), {0, 0, 0, 0}, NULL }

/*
 * sft_header_extent() - how much of a file its header takes: where the data
 * begins, and how many bytes sft_header_parse() needs.
 *
 * @bytes, @size: the beginning of the file; 8 bytes are enough
 * @file_size: size of the whole file in bytes
 * @options: NULL for defaults
 * @extent: receives 8 plus the header's length
 * @error: NULL, or receives what is wrong
 *
 * Returns SFT_OK, SFT_INVALID_ARGUMENT, SFT_HEADER_TOO_SMALL,
 * SFT_HEADER_TOO_LARGE, SFT_INVALID_HEADER_LENGTH or SFT_HEADER_EMPTY. Any thread.
 */
SFT_API SFT_MUST_USE sft_status sft_header_extent(const void *bytes, size_t size,
                                                  uint64_t file_size,
                                                  const sft_header_options *options,
                                                  uint64_t *extent, sft_error *error);

/*
 * sft_header_parse() - checks a header by every rule of docs/format.md and makes
 * it ready for look-ups. Time is linear in its bytes, whatever they hold.
 *
 * @bytes, @size: the beginning of the file, at least as much as
 *     sft_header_extent() says; more is ignored. Copied: not needed afterwards.
 * @file_size: size of the whole file in bytes
 * @options: NULL for defaults
 * @header: receives the header, which the caller frees with sft_header_free()
 * @error: NULL, or receives what is wrong, where
 *
 * Returns SFT_OK, SFT_NO_MEMORY, SFT_INVALID_ARGUMENT, SFT_BUFFER_SIZE (fewer
 * bytes than the header takes), or any status from 100 to 128. Any thread.
 */
SFT_API SFT_MUST_USE sft_status sft_header_parse(const void *bytes, size_t size, uint64_t file_size,
                                                 const sft_header_options *options,
                                                 sft_header **header, sft_error *error);

/* sft_header_free() - frees a parsed header and all that it handed out. NULL is fine. */
SFT_API void sft_header_free(sft_header *header);

/*
 * All that follows reads a header, which never changes: any number of threads at
 * once. What it returns lives as long as the header does.
 */

/* sft_header_count() - how many tensors there are. */
SFT_API uint64_t sft_header_count(const sft_header *header);

/*
 * sft_header_at() - the tensor at a place in file order: sorted by where their
 * data begins; tensors without data that share a place stand as in the header.
 * NULL if index is not below sft_header_count().
 */
SFT_API const sft_tensor *sft_header_at(const sft_header *header, uint64_t index);

/* sft_header_find() - the tensor of a name (bytes, length), or NULL. Constant time. */
SFT_API const sft_tensor *sft_header_find(const sft_header *header, const char *name,
                                          size_t length);

/* sft_header_index() - the place in file order of a tensor that this header handed out. */
SFT_API uint64_t sft_header_index(const sft_header *header, const sft_tensor *tensor);

/*
 * sft_header_has_metadata() - true if the header has a __metadata__ that is an
 * object, be it empty; false if it is absent or null.
 */
SFT_API bool sft_header_has_metadata(const sft_header *header);

/* sft_header_metadata_count() - how many metadata entries there are. */
SFT_API uint64_t sft_header_metadata_count(const sft_header *header);

/* sft_header_metadata_at() - an entry, in the header's order; NULL if index is too large. */
SFT_API const sft_metadata_entry *sft_header_metadata_at(const sft_header *header, uint64_t index);

/* sft_header_metadata_find() - the entry of a key (bytes, length), or NULL. Constant time. */
SFT_API const sft_metadata_entry *sft_header_metadata_find(const sft_header *header,
                                                           const char *key, size_t length);

/*
 * sft_header_text() - the JSON as it stands in the file, padding included, without
 * the 8 bytes before it. It is not ended by NUL. @length receives its bytes.
 */
SFT_API const char *sft_header_text(const sft_header *header, size_t *length);

/* sft_header_data_start() - where the data begins: bytes from the start of the file. */
SFT_API uint64_t sft_header_data_start(const sft_header *header);

/* sft_header_data_size() - bytes of data, all tensors together. */
SFT_API uint64_t sft_header_data_size(const sft_header *header);

/*
 * sft_json_quote() - text as a JSON string, quotes included, escaped as the
 * writer does: only what must be is escaped, control characters as \n, \t … or
 * \u00XX. The text is taken to be UTF-8 and is not checked.
 *
 * @text, @length: the text, which may hold NUL
 * @to: where it goes, or NULL to ask for the length; not ended by NUL
 * @size: bytes at to
 *
 * Returns the length of the whole string; if it is > size nothing was written.
 */
SFT_API size_t sft_json_quote(const char *text, size_t length, char *to, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* SFT_HEADER_H */
