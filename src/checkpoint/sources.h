/*
 * Sources that make their bytes out of another region, from front to back: unpacking, decoding.
 * What they have made last is kept, so that small steps back cost nothing; marks on the way allow
 * larger ones without beginning anew.
 */
#ifndef SFT_SRC_CHECKPOINT_SOURCES_H
#define SFT_SRC_CHECKPOINT_SOURCES_H

#include <sft/base.h>

#include "checkpoint/region.h"

typedef struct sft_stream sft_stream;

/* How bytes are made. `maker` is what `begin` returned. */
typedef struct sft_stream_kind {
    /* A maker that stands before the first byte. NULL where there is no memory. */
    void *(*begin)(const sft_stream *stream, const sft_allocator *allocator);
    /* Makes up to `size` bytes more. *made is less only at the end, or with an error. */
    sft_status (*make)(void *maker, void *to, size_t size, size_t *made, sft_error *error);
    /* What is needed to come back to where the maker stands; NULL where there is no memory. */
    void *(*mark)(void *maker);
    /* Goes back to a mark, which stays good, or for NULL to the beginning; false where there is no
     * memory, and nothing has changed then. */
    bool (*go_back)(void *maker, const void *mark);
    void (*forget)(void *maker, void *mark);
    void (*end)(void *maker);
} sft_stream_kind;

struct sft_stream {
    sft_source source; /* its context is the stream */
    struct sft_sources_common *common;
    const sft_stream_kind *kind;
    sft_region from;
    sft_packing packing;
    bool exact; /* nothing may follow the last byte */
    uint64_t size;
    struct sft_stream_work *work; /* NULL while it is not being read */
};

/* A region of `size` bytes which a stream over `from` makes. SFT_NO_MEMORY. */
sft_status sft_sources_stream(sft_sources *sources, const sft_stream *stream, sft_region *region,
                              sft_error *error);

/* If the source is a stream: puts what made its last read fail into *error and returns its status,
 * else returns `status`. */
sft_status sft_stream_explain(const sft_source *source, sft_status status, sft_error *error);

#endif
