/*
 * A parsed header: what sft/header.h describes, from inside.
 *
 * Building one goes through three files: extent.c (where the header ends),
 * header.c (the grammar), layout.c (the data behind it).
 */
#ifndef SFT_SRC_FORMAT_HEADER_H
#define SFT_SRC_FORMAT_HEADER_H

#include <sft/header.h>

#include "base/arena.h"
#include "base/memory.h"
#include "base/names.h"

struct sft_header {
    sft_allocator outer;     /* the caller's: for this struct itself */
    sft_budget budget;       /* over outer, with the caller's limit */
    sft_allocator allocator; /* over budget: for everything else */
    char *text;              /* the JSON, and a NUL behind it */
    uint64_t text_size;
    uint64_t file_size;
    uint64_t data_start;
    uint64_t data_size;
    sft_arena arena; /* shapes, and strings that were unescaped */
    sft_tensor *tensors;
    uint64_t count;
    uint64_t capacity;
    sft_names tensor_names;
    sft_metadata_entry *metadata;
    uint64_t metadata_count;
    uint64_t metadata_capacity;
    sft_names metadata_names;
    bool has_metadata;       /* an object, be it empty */
    uint64_t metadata_begin; /* of its value in the text; both 0 if the key is absent */
    uint64_t metadata_end;
};

/* The bytes in front of the JSON: its length, little-endian. */
#define SFT_HEADER_PREFIX 8U

/*
 * sft_header_parse() with a seed for its hash tables, which lets this floor do
 * without a source of chance.
 */
sft_status sft_header_build(const void *bytes, size_t size, uint64_t file_size,
                            const sft_header_options *options, const uint64_t seed[2],
                            sft_header **header, sft_error *error);

/*
 * Memory for a text of text_size bytes and a NUL, for sft_header_adopt(). SFT_NO_MEMORY, or
 * SFT_MEMORY_LIMIT before any is taken.
 */
sft_status sft_header_take_text(const sft_header_options *given, uint64_t text_size, char **text,
                                sft_error *error);

/*
 * Takes over a text of text_size bytes, with a NUL behind it, that came from
 * the options' allocator; header.c and layout.c do the rest of sft_header_build(). The text is
 * released in any case. For readers that hold no more of the file than that.
 */
sft_status sft_header_adopt(char *text, uint64_t text_size, uint64_t file_size,
                            const sft_header_options *given, const uint64_t seed[2],
                            sft_header **header, sft_error *error);

/*
 * Checks that the tensors tile the data (docs/format.md, sections 6 and 8), and brings them into
 * file order. key_at[i] is where tensor i stands in the text.
 */
sft_status sft_header_layout(sft_header *header, const uint32_t *key_at, sft_error *error);

/*
 * The place of the value of __metadata__ in the text, which may be null; false if
 * there is no such key.
 */
bool sft_header_metadata_span(const sft_header *header, uint64_t *begin, uint64_t *end);

/* Options with every field that the caller's version of the struct lacks set to its default. */
sft_header_options sft_header_options_of(const sft_header_options *given);

/* Fails with SFT_MEMORY_LIMIT. */
sft_status sft_header_fail_limit(sft_error *error);

/* What a file plainly is whose first 8 bytes say this length; NULL if it is nothing known. */
const char *sft_header_hint(uint64_t length);

#endif
