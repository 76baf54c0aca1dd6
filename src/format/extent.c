/* Where the header ends, and what a file is that plainly has none. */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "format/header.h"

typedef struct signature {
    const char *bytes;
    size_t length;
    const char *hint;
} signature;

#define SIGNATURE(bytes, hint)                                                                     \
    { (bytes), sizeof(bytes) - 1, (hint) }

/* The first bytes of what people take for safetensors files, from each format's own description. */
static const signature signatures[] = {
    SIGNATURE("version https://git-lfs", "this is a Git LFS pointer, not the file it stands for: "
                                         "fetch it with 'git lfs pull'"),
    SIGNATURE("version ", "this looks like a Git LFS pointer, not the file it stands for: fetch it "
                          "with 'git lfs pull'"),
    SIGNATURE("<!DOCTYP", "this is a web page: the download went wrong"),
    SIGNATURE("<!doctyp", "this is a web page: the download went wrong"),
    SIGNATURE("<html", "this is a web page: the download went wrong"),
    SIGNATURE("<HTML", "this is a web page: the download went wrong"),
    SIGNATURE("<?xml", "this is an XML document: the download went wrong"),
    SIGNATURE("PK\x03\x04", "this is a zip archive, perhaps a PyTorch checkpoint (.pt, .bin) that "
                            "was renamed"),
    SIGNATURE("PK\x05\x06", "this is an empty zip archive"),
    SIGNATURE("GGUF", "this is a GGUF file"),
    SIGNATURE("\x1f\x8b\x08", "this is gzip-compressed: unpack it first"),
    SIGNATURE("\x93NUMPY", "this is a NumPy array (.npy)"),
    SIGNATURE("\x89HDF", "this is an HDF5 file"),
    SIGNATURE("\x28\xb5\x2f\xfd", "this is zstd-compressed: unpack it first"),
    SIGNATURE("\x80\x02", "this is a pickle, perhaps a PyTorch checkpoint that was renamed"),
    SIGNATURE("\x80\x03", "this is a pickle"),
    SIGNATURE("\x80\x04", "this is a pickle"),
    SIGNATURE("\x80\x05", "this is a pickle"),
    SIGNATURE("{", "this is JSON text: the 8 bytes of the header's length are missing"),
};

static const char *hint_for(const unsigned char *bytes, size_t size, size_t least) {
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++) {
        const signature *known = &signatures[i];
        if (known->length >= least && size >= known->length &&
            memcmp(bytes, known->bytes, known->length) == 0) {
            return known->hint;
        }
    }
    return NULL;
}

static uint64_t read_length(const unsigned char *bytes) {
    uint64_t length = 0;
    for (unsigned i = 0; i < SFT_HEADER_PREFIX; i++) {
        length |= (uint64_t)bytes[i] << (8 * i);
    }
    return length;
}

/*
 * A length within the limit can still be another format's first bytes: those of a gzip stream
 * without a date are 559903. Signatures of one or two bytes would be found in sound lengths too.
 */
const char *sft_header_hint(uint64_t length) {
    unsigned char bytes[SFT_HEADER_PREFIX];
    for (unsigned i = 0; i < SFT_HEADER_PREFIX; i++) {
        bytes[i] = (unsigned char)(length >> (8 * i));
    }
    return hint_for(bytes, sizeof bytes, 3);
}

sft_header_options sft_header_options_of(const sft_header_options *given) {
    sft_header_options options = SFT_HEADER_OPTIONS;
    sft_options_copy(&options, sizeof options, given);
    if (options.limits.header_bytes == 0) {
        options.limits.header_bytes = SFT_DEFAULT_HEADER_BYTES;
    }
    /* Places in the text are kept in 32 bits. */
    options.limits.header_bytes = sft_min(options.limits.header_bytes, UINT32_MAX - 15);
    if (options.limits.tensors == 0 || options.limits.tensors > SFT_NAMES_MAX) {
        options.limits.tensors = SFT_NAMES_MAX;
    }
    if (options.limits.rank == 0) {
        options.limits.rank = SFT_DEFAULT_RANK;
    }
    return options;
}

static sft_status too_small(const unsigned char *bytes, uint64_t file_size, sft_error *error) {
    if (file_size == 0) {
        return sft_fail(error, SFT_HEADER_TOO_SMALL, 0, "header too small: the file is empty");
    }
    const char *hint = hint_for(bytes, (size_t)file_size, 1);
    return sft_fail(error, SFT_HEADER_TOO_SMALL, file_size,
                    "%s%sheader too small: the file has %" PRIu64
                    " of the 8 bytes that tell the header's length",
                    hint != NULL ? hint : "", hint != NULL ? "; " : "", file_size);
}

static sft_status too_large(const unsigned char *bytes, size_t size, uint64_t length,
                            uint64_t limit, sft_error *error) {
    const char *hint = hint_for(bytes, size, 1);
    if (hint != NULL) {
        return sft_fail(error, SFT_HEADER_TOO_LARGE, 0,
                        "%s; read as a safetensors file, its header would take %" PRIu64 " bytes",
                        hint, length);
    }
    return sft_fail(error, SFT_HEADER_TOO_LARGE, 0,
                    "header too large: it would take %" PRIu64 " bytes, the limit is %" PRIu64
                    ": this is not a safetensors file, or its beginning is damaged",
                    length, limit);
}

static sft_status too_long(uint64_t length, uint64_t left, sft_error *error) {
    const char *hint = sft_header_hint(length);
    if (hint != NULL) {
        return sft_fail(error, SFT_INVALID_HEADER_LENGTH, 0,
                        "%s; read as a safetensors file, its header would take %" PRIu64
                        " bytes, but only %" PRIu64 " follow",
                        hint, length, left);
    }
    return sft_fail(error, SFT_INVALID_HEADER_LENGTH, 0,
                    "invalid header length: it would take %" PRIu64 " bytes, but only %" PRIu64
                    " follow: the file is cut short or damaged",
                    length, left);
}

sft_status sft_header_extent(const void *bytes, size_t size, uint64_t file_size,
                             const sft_header_options *given, uint64_t *extent, sft_error *error) {
    sft_status status = sft_options_check(given, "SFT_HEADER_OPTIONS", error);
    if (status != SFT_OK) {
        return status;
    }
    if (extent == NULL) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE, "no place for the extent");
    }
    sft_header_options options = sft_header_options_of(given);
    if (bytes == NULL && size > 0) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE, "the header's bytes are NULL");
    }
    if (file_size < SFT_HEADER_PREFIX) {
        return too_small(bytes, sft_min(file_size, size), error);
    }
    if (size < SFT_HEADER_PREFIX) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        "at least the first 8 bytes of the file are needed");
    }
    uint64_t length = read_length(bytes);
    if (length > options.limits.header_bytes) {
        return too_large(bytes, size, length, options.limits.header_bytes, error);
    }
    if (length > file_size - SFT_HEADER_PREFIX) {
        return too_long(length, file_size - SFT_HEADER_PREFIX, error);
    }
    if (length == 0) {
        return sft_fail(error, SFT_HEADER_EMPTY, 0,
                        "the header's length is 0: a header has at least the 2 bytes {}");
    }
    *extent = SFT_HEADER_PREFIX + length;
    return SFT_OK;
}

sft_status sft_header_fail_limit(sft_error *error) {
    return sft_fail(error, SFT_MEMORY_LIMIT, SFT_NO_BYTE,
                    "the header needs more memory than the limit allows");
}

sft_status sft_header_take_text(const sft_header_options *given, uint64_t text_size, char **text,
                                sft_error *error) {
    sft_header_options options = sft_header_options_of(given);
    sft_allocator allocator = sft_allocator_of(options.allocator);
    if (options.limits.memory != 0 && text_size >= options.limits.memory) {
        return sft_header_fail_limit(error);
    }
    *text = sft_allocate(&allocator, text_size + 1);
    if (*text == NULL) {
        return sft_fail_memory(error);
    }
    (*text)[text_size] = '\0';
    return SFT_OK;
}
