/* Reading equal runs that lie at regular distances, packed into one buffer. */
#ifndef SFT_SRC_IO_GATHER_H
#define SFT_SRC_IO_GATHER_H

#include <sft/base.h>
#include <sft/reader.h>

typedef struct sft_gather_loop {
    uint64_t count;
    uint64_t stride;
} sft_gather_loop;

/* Loops stand innermost first; runs rise and never overlap. */
typedef struct sft_gather {
    uint64_t start; /* of the first run, in the source */
    uint64_t run;   /* bytes; at least 1 */
    const sft_gather_loop *loops;
    uint32_t loop_count; /* at most 64 */
} sft_gather;

/* Copies the runs out of memory. */
void sft_gather_memory(const sft_gather *what, const uint8_t *from, void *to);

/*
 * Reads the runs from a source. Runs that lie closer than a page are read together
 * with what lies between, through a buffer of bounded size; others go straight to
 * their place. SFT_NO_MEMORY, SFT_READ_FAILED, SFT_FILE_SHRANK.
 */
sft_status sft_gather_read(const sft_gather *what, const sft_source *source,
                           const sft_allocator *allocator, void *to, sft_error *error);

#endif
