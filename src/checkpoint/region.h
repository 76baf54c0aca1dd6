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

/*
 * Fills `to`. SFT_MALFORMED_SOURCE where that lies outside, or what is packed there is damaged;
 * SFT_READ_FAILED, SFT_FILE_SHRANK, and of unpacked regions SFT_NO_MEMORY.
 */
sft_status sft_region_read(const sft_region *region, uint64_t offset, void *to, uint64_t size,
                           sft_error *error);

/* A part of a region; false where it lies outside. The label stays. */
bool sft_region_part(const sft_region *region, uint64_t offset, uint64_t size, sft_region *part);

/* The region as input of the pickle machine; the region must stay where it is meanwhile. */
sft_pickle_input sft_region_input(const sft_region *region);

/* The region as a source of its own, to be closed by nobody; the region must stay where it is. Its
 * reads fail with the errno value EBADMSG where sft_region_read() gives SFT_MALFORMED_SOURCE. */
sft_source sft_region_source(const sft_region *region);

/* Sources over other regions, which live and die together. May be moved. */
typedef struct sft_sources {
    sft_allocator allocator;
    sft_arena arena;
    struct sft_sources_common *common; /* what the sources themselves need; NULL before the first */
} sft_sources;

void sft_sources_init(sft_sources *sources, const sft_allocator *allocator);
void sft_sources_free(sft_sources *sources);

/* The label of a part called `name` of what has the label `outer`: escaped, and cut if it is very
 * long. NULL where there is no memory. */
const char *sft_sources_label(sft_sources *sources, const char *outer, const char *name,
                              size_t length);

typedef enum sft_packing { SFT_PACKED_DEFLATE, SFT_PACKED_ZLIB, SFT_PACKED_GZIP } sft_packing;

/*
 * What a compressed region unpacks to: exactly `size` bytes. If it is damaged or has fewer, reads
 * behind that point fail; if more, a read that includes the last byte does. Cheap where it is read
 * from front to back; going back costs more, but never the whole again. Of any number of such
 * sources some few at a time have memory beyond a few hundred bytes. One thread. SFT_NO_MEMORY.
 */
sft_status sft_sources_inflate(sft_sources *sources, const sft_region *packed, sft_packing packing,
                               uint64_t size, sft_region *unpacked, sft_error *error);

/* The same for the first `size` bytes, whatever is behind them: for looking at what is damaged. */
sft_status sft_sources_inflate_part(sft_sources *sources, const sft_region *packed,
                                    sft_packing packing, uint64_t size, sft_region *unpacked,
                                    sft_error *error);

/*
 * How many bytes a compressed region unpacks to, by unpacking it: at most `limit`, else
 * SFT_SOURCE_LIMIT. *used receives how many bytes of the region that took. SFT_MALFORMED_SOURCE
 * where it is damaged; *size is then how many come before that. gzip may have several members, and
 * zeros behind the last.
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
