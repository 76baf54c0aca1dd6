/* All tensors of one new file: brought there and compared, by several threads where that helps. */
#ifndef SFT_SRC_CHECKPOINT_COPY_H
#define SFT_SRC_CHECKPOINT_COPY_H

#include <sft/base.h>

#include "checkpoint/move.h"

/* How far a conversion is, over all its files. */
typedef struct sft_copy_progress {
    bool (*call)(void *context, uint64_t done, uint64_t total); /* or NULL */
    void *context;
    uint64_t done; /* bytes written, and bytes compared */
    uint64_t total;
} sft_copy_progress;

typedef struct sft_copy_job {
    sft_allocator allocator;
    sft_mover mover;
    const char *target; /* path of the new file */
    const char *beside; /* what must be unpacked goes to the folder in which this lies */
    sft_copy_progress *progress;
} sft_copy_job;

/*
 * Brings all bytes into a file that was begun, and compares them. Sources are read in their order.
 * The allocator is used by one thread at a time. Returns as sft_move_piece() does; SFT_OPEN_FAILED
 * where there is no room to unpack; SFT_CANCELLED.
 */
sft_status sft_copy_tensors(const sft_copy_job *job, sft_error *error);

/* Notes that so many bytes more are done. One thread at a time. SFT_CANCELLED. */
sft_status sft_copy_report(const sft_copy_job *job, uint64_t bytes, sft_error *error);

/*
 * The part of it that concerns tensors whose bytes do not lie in a file as they are: these are read
 * from front to back, once to be written and once to be compared.
 */
sft_status sft_copy_packed(const sft_copy_job *job, const sft_hands *hands, sft_error *error);

/* Whether a tensor has bytes that must be unpacked. */
bool sft_copy_is_packed(const sft_plan_tensor *planned);

#endif
