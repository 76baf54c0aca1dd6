/* What sft_write(), the streaming writer and edits have in common: their options. */
#ifndef SFT_SRC_MODEL_SAVE_H
#define SFT_SRC_MODEL_SAVE_H

#include <sft/writer.h>

/* The caller's options, checked, with a default for every field that his version lacks. */
typedef struct sft_save {
    sft_write_options options; /* alignment is never 0 */
    sft_allocator allocator;
    bool aligned;      /* the caller asked for an alignment */
    uint64_t total;    /* bytes of the new file, for progress */
    uint64_t reported; /* how far the callback knows */
} sft_save;

/* Smaller files are written before the system has to find room for them. */
#define SFT_WORTH_RESERVING (UINT64_C(1) * 1024 * 1024)

sft_status sft_save_init(sft_save *save, const sft_write_options *given, sft_error *error);

/*
 * Tells the callback how many bytes are written, if that is news worth a call. SFT_CANCELLED if
 * it wants to stop. One thread at a time.
 */
sft_status sft_save_report(sft_save *save, uint64_t done, sft_error *error);

#endif
