/*
 * Where bytes lie: a stretch of a source, be it the file that was opened, what a compressed member
 * of it unpacks to, or text that stands for bytes.
 */
#ifndef SFT_SRC_CHECKPOINT_REGION_H
#define SFT_SRC_CHECKPOINT_REGION_H

#include <sft/base.h>
#include <sft/reader.h>

#include "base/arena.h"
#include "pickle/machine.h"

typedef struct sft_region {
    const sft_source *source; /* lives as long as the sft_sources it is from */
    uint64_t offset;          /* of the first byte, in the source */
    uint64_t size;
    int fd; /* of the file where the bytes lie in it as they are, at `offset`; else -1 */
    const char
        *label; /* path of the member, "outer.zip!inner/data.pkl", escaped; NULL: the file itself */
} sft_region;

/* Fills `to`; SFT_MALFORMED_SOURCE where that lies outside, or what sft_source_read() gives. */
sft_status sft_region_read(const sft_region *region, uint64_t offset, void *to, uint64_t size,
                           sft_error *error);

/* A part of a region; false where it lies outside. The label stays. */
bool sft_region_part(const sft_region *region, uint64_t offset, uint64_t size, sft_region *part);

/* The region as input of the pickle machine; the region must stay where it is meanwhile. */
sft_pickle_input sft_region_input(const sft_region *region);

/* The region as a source of its own, to be closed by nobody; the region must stay where it is. */
sft_source sft_region_source(const sft_region *region);

/* Sources over other regions, which live and die together. */
typedef struct sft_sources {
    sft_allocator allocator;
    sft_arena arena;
    struct sft_owned_source *owned; /* newest first */
} sft_sources;

void sft_sources_init(sft_sources *sources, const sft_allocator *allocator);
void sft_sources_free(sft_sources *sources);

typedef enum sft_packing { SFT_PACKED_DEFLATE, SFT_PACKED_ZLIB, SFT_PACKED_GZIP } sft_packing;

/*
 * What a compressed region unpacks to: exactly `size` bytes, or its reads fail with
 * SFT_READ_FAILED. Cheap where it is read from front to back; going back begins anew. One thread.
 * SFT_NO_MEMORY.
 */
sft_status sft_sources_inflate(sft_sources *sources, const sft_region *packed, sft_packing packing,
                               uint64_t size, sft_region *unpacked, sft_error *error);

/*
 * How many bytes a compressed region unpacks to, by unpacking it: at most `limit`, else
 * SFT_SOURCE_LIMIT. *used receives how many bytes of the region that took. SFT_MALFORMED_SOURCE
 * where it is damaged. gzip may have several members.
 */
sft_status sft_inflated_size(const sft_region *packed, sft_packing packing, uint64_t limit,
                             const sft_allocator *allocator, uint64_t *size, uint64_t *used,
                             sft_error *error);

/*
 * The bytes that a UTF-8 text stands for as latin1: `size` of them, one a character. As cheap as
 * unpacking is. A character above U+00FF gives SFT_MALFORMED_SOURCE when it is read.
 */
sft_status sft_sources_latin1(sft_sources *sources, const sft_region *text, uint64_t size,
                              sft_region *bytes, sft_error *error);

/* How many characters a UTF-8 text has. */
sft_status sft_text_characters(const sft_region *text, uint64_t *count, sft_error *error);

/* Bytes in memory, copied. */
sft_status sft_sources_memory(sft_sources *sources, const void *bytes, uint64_t size,
                              sft_region *region, sft_error *error);

#endif
