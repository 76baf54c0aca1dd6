/*
 * Version, status, error and memory: what every other header builds on.
 */
#ifndef SFT_BASE_H
#define SFT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The one place that states the version; the build reads it from here. */
#define SFT_VERSION_MAJOR 0
#define SFT_VERSION_MINOR 1
#define SFT_VERSION_PATCH 0
#define SFT_VERSION_STRING "0.1.0"

#if defined(__GNUC__)
#define SFT_API __attribute__((visibility("default")))
#define SFT_MUST_USE __attribute__((warn_unused_result))
#else
#define SFT_API
#define SFT_MUST_USE
#endif

/*
 * sft_version() - the version of the library that is linked, "MAJOR.MINOR.PATCH".
 *
 * It may differ from SFT_VERSION_STRING, the version of the headers. The string
 * is static. Any thread.
 */
SFT_API const char *sft_version(void);

/*
 * The outcome of a call. Values are pinned: they never change meaning, and new
 * ones are only added. The groups are: 0 success, 1-19 caller and machine,
 * 20-39 input and output, 100-199 defects of a file, 200-219 slices,
 * 300-319 writing, 400-419 sharded models, 500-519 other checkpoint formats.
 */
typedef enum sft_status {
    SFT_OK = 0,

    /* caller and machine */
    SFT_NO_MEMORY = 1,        /* an allocation failed */
    SFT_INVALID_ARGUMENT = 2, /* the call itself is wrong; nothing was done */
    SFT_NOT_FOUND = 3,        /* no tensor or metadata key has that name */
    SFT_BUFFER_SIZE = 4,      /* the caller's buffer is not as large as what is asked for */
    SFT_UNSUPPORTED = 5,      /* well-formed, but more than this build or machine can do */
    SFT_CANCELLED = 6,        /* the caller's progress callback asked to stop */

    /* input and output; sft_error.system_error holds errno */
    SFT_OPEN_FAILED = 20,    /* missing, no permission, a loop of links */
    SFT_READ_FAILED = 21,    /* the system reported an error while reading */
    SFT_WRITE_FAILED = 22,   /* the system reported an error while writing: a full disk, say */
    SFT_MAP_FAILED = 23,     /* the file cannot be mapped into memory */
    SFT_FILE_SHRANK = 24,    /* the file ended before a byte that was there at open */
    SFT_NOT_A_FILE = 25,     /* a folder, pipe or device where a regular file is needed */
    SFT_ALREADY_EXISTS = 26, /* the target exists and was not to be replaced */

    /* defects of a file: one rule of docs/format.md each */
    SFT_HEADER_TOO_SMALL = 100,      /* fewer than 8 bytes */
    SFT_HEADER_TOO_LARGE = 101,      /* the header's length is beyond the limit */
    SFT_INVALID_HEADER_LENGTH = 102, /* the header would end after the file */
    SFT_HEADER_EMPTY = 103,          /* the header's length is zero */
    SFT_INVALID_UTF8 = 104,          /* the header is not UTF-8 */
    SFT_BYTE_ORDER_MARK = 105,       /* the header begins with a byte order mark */
    SFT_INVALID_JSON = 106,          /* not RFC 8259 */
    SFT_HEADER_NOT_OBJECT = 107,     /* JSON, but not an object */
    SFT_TRAILING_TEXT = 108,         /* something stands behind the header's object */
    SFT_NESTED_TOO_DEEP = 109,       /* more than 127 levels of arrays and objects */
    SFT_DUPLICATE_KEY = 110,         /* a key stands twice in one object */
    SFT_INVALID_METADATA = 111,      /* __metadata__ is no object of string to string */
    SFT_TENSOR_NOT_OBJECT = 112,     /* a tensor's description is not an object */
    SFT_MISSING_FIELD = 113,         /* dtype, shape or data_offsets is absent */
    SFT_UNKNOWN_DTYPE = 114,         /* a dtype that no one has defined */
    SFT_INVALID_DTYPE = 115,         /* dtype is not a string */
    SFT_INVALID_SHAPE = 116,         /* shape is not an array of non-negative integers below 2^64 */
    SFT_INVALID_OFFSETS = 117,       /* data_offsets is not an array of two such integers */
    SFT_OFFSETS_REVERSED = 118,      /* a tensor ends before it begins */
    SFT_SIZE_OVERFLOW = 119,         /* shape times element size does not fit in 64 bits */
    SFT_SIZE_MISMATCH = 120,         /* data_offsets span other than the shape needs */
    SFT_PARTIAL_BYTE = 121,          /* the elements do not fill whole bytes (4 and 6 bit types) */
    SFT_HOLE = 122,                  /* bytes of the data belong to no tensor */
    SFT_OVERLAP = 123,               /* bytes of the data belong to two tensors */
    SFT_TRAILING_DATA = 124,         /* bytes follow the last tensor */
    SFT_TRUNCATED_DATA = 125,        /* the file ends before the last tensor does */
    SFT_TOO_MANY_TENSORS = 126,      /* beyond the caller's limit */
    SFT_RANK_TOO_LARGE = 127,        /* beyond the limit */
    SFT_MEMORY_LIMIT = 128,          /* the header needs more memory than the caller's limit */

    /* slices */
    SFT_SLICE_SYNTAX = 200,       /* the text is not a slice */
    SFT_SLICE_STEP = 201,         /* a step below 1 */
    SFT_SLICE_RANK = 202,         /* more ranges than the tensor has dimensions */
    SFT_INDEX_OUT_OF_RANGE = 203, /* an integer outside its dimension */
    SFT_SLICE_PARTIAL_BYTE = 204, /* the slice cuts a byte of a 4 or 6 bit type */

    /* writing */
    SFT_INVALID_NAME = 300,   /* a name, key or value that is not UTF-8 */
    SFT_RESERVED_NAME = 301,  /* a tensor called __metadata__ */
    SFT_DUPLICATE_NAME = 302, /* two tensors or two metadata keys of one name */
    SFT_INCOMPLETE = 303,     /* commit, but bytes are missing */
    SFT_OUT_OF_BOUNDS = 304,  /* a piece that lies outside its tensor */
    SFT_WRONG_STATE = 305,    /* a call out of order: put before begin, declare after it */

    /* sharded models */
    SFT_INVALID_INDEX = 400,        /* the index is JSON, but not an index */
    SFT_UNSAFE_SHARD_NAME = 401,    /* a shard's name leads out of the index's folder */
    SFT_MISSING_SHARD = 402,        /* the index names a file that is not there */
    SFT_TENSOR_NOT_IN_SHARD = 403,  /* the index names a tensor that its shard does not hold */
    SFT_TENSOR_NOT_IN_INDEX = 404,  /* a shard holds a tensor that the index does not name */
    SFT_TENSOR_IN_TWO_SHARDS = 405, /* two shards hold a tensor of one name */
    SFT_WRONG_TOTAL_SIZE = 406,     /* metadata.total_size is not the sum of the tensors */
    SFT_NO_SHARDS = 407,            /* a folder without a .safetensors file */
    SFT_AMBIGUOUS_FOLDER = 408,     /* a folder with several index files */

    /* other checkpoint formats, as sources of a conversion */
    SFT_DANGEROUS_SOURCE = 500,   /* loading it would run code; see the scan's findings */
    SFT_UNVOUCHED_SOURCE = 501,   /* it holds what nobody here can vouch for */
    SFT_MALFORMED_SOURCE = 502,   /* it cannot be parsed */
    SFT_UNSUPPORTED_SOURCE = 503, /* of no kind that can be read here */
    SFT_SOURCE_LIMIT = 504,       /* it needs more than the limits allow */
    SFT_UNSUPPORTED_TENSOR = 505, /* sparse, quantised, complex128: no safetensors type has it */
    SFT_TENSOR_BOUNDS = 506,      /* a tensor reaches beyond its storage */
    SFT_STORAGE_SIZE = 507,       /* a storage has other than the bytes its elements need */
    SFT_MISSING_STORAGE = 508,    /* a storage that is named is not in the file */
    SFT_VERIFY_FAILED = 509 /* the new file differs from the source: the disk or memory lies */
} sft_status;

/*
 * sft_status_name() - the status as programs know it: "DUPLICATE_KEY" for
 * SFT_DUPLICATE_KEY, "UNKNOWN_STATUS" for a value that is none. Static. Any thread.
 */
SFT_API const char *sft_status_name(sft_status status);

/*
 * sft_status_text() - one short sentence without a full stop: "a key stands
 * twice in one object". Static. Any thread.
 */
SFT_API const char *sft_status_text(sft_status status);

/*
 * sft_status_kind() - the kind of error under which the Rust implementation
 * (safetensors 0.8) reports the same defect, "InvalidHeaderDeserialization"
 * say; NULL where it knows none. For faces that must speak its language.
 * Static. Any thread.
 */
SFT_API const char *sft_status_kind(sft_status status);

/*
 * sft_status_is_defect() - true where the bytes were read but break a rule: the
 * file is at fault (100-199 and 400-406). False for trouble with reading it,
 * with memory, or with the call. Any thread.
 */
SFT_API bool sft_status_is_defect(sft_status status);

/* The value of sft_error.byte where no byte of a file is to blame. */
#define SFT_NO_BYTE UINT64_MAX

/*
 * What went wrong, for programs and for people. It belongs to the caller, who
 * passes it as the last argument of any call that can fail, or NULL. A call that
 * fails fills it; a call that succeeds leaves it as it was.
 *
 * `message` is one sentence, without control characters, that says what is wrong
 * and what to do; it does not repeat the file or the tensor. `tensor` and `file`
 * are raw bytes from outside: escape them before you show them, or let
 * sft_error_format() do it. Both end with a NUL and are cut if too long (a name
 * at its end, a path at its beginning).
 */
typedef struct sft_error {
    sft_status status;
    int system_error;     /* errno, or 0 */
    uint64_t byte;        /* offset from the start of the file, or SFT_NO_BYTE */
    uint64_t line;        /* where `byte` lies in the JSON of a header or index: line and column, */
    uint64_t column;      /* in bytes, both from 1; 0 where it does not lie in JSON */
    size_t tensor_length; /* bytes of `tensor` in use: names may hold NUL */
    char tensor[256];     /* the tensor's name where one is to blame */
    bool has_tensor;      /* the empty name is a name too */
    char file[1024];      /* the path, "" where there is none (memory, callbacks) */
    char message[512];
} sft_error;

/*
 * sft_error_format() - the whole error as one line for people:
 *
 *   FILE: CODE: sentence (tensor "NAME", byte N)
 *
 * with control characters and malformed UTF-8 escaped. What does not apply is
 * left out.
 *
 * @error: a filled error
 * @text: where the line goes; always ended with NUL if size > 0
 * @size: bytes at text
 *
 * Returns the length of the whole line, which was cut if it is >= size. Any thread.
 */
SFT_API size_t sft_error_format(const sft_error *error, char *text, size_t size);

/*
 * sft_escape() - text from outside, made fit for a terminal, a log or a message: control
 * characters, the marks that reorder or break a line of text, and malformed UTF-8 become \n, \r,
 * \t, \xNN or \uNNNN. Everything else stays as it is, also quotes and backslashes.
 *
 * @text, @length: the text, which may hold NUL and need not be UTF-8
 * @keep: ASCII control characters that are to stay, "\n\t" say; NULL or "" for none
 * @to: where it goes, or NULL to ask for the length; always ended with NUL if size > 0
 * @size: bytes at to
 *
 * Returns the length of the whole result, which was cut, between characters, if it is >= size.
 * Any thread.
 */
SFT_API size_t sft_escape(const char *text, size_t length, const char *keep, char *to, size_t size);

/*
 * Where the library's memory comes from. Each function gets `context` as its
 * first argument. `allocate` returns memory aligned as malloc's, or NULL;
 * `release` gets the size that was asked for. They may be called from any thread
 * that calls the library. The struct is copied; context must outlive every handle
 * made with it.
 */
typedef struct sft_allocator {
    void *context;
    void *(*allocate)(void *context, size_t size);
    void *(*reallocate)(void *context, void *memory, size_t old_size, size_t new_size);
    void (*release)(void *context, void *memory, size_t size);
} sft_allocator;

#ifdef __cplusplus
}
#endif

#endif /* SFT_BASE_H */
