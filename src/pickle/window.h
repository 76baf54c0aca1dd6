/*
 * The input of the machine, seen through a buffer that only moves forward: what is skipped is never
 * read, and nothing is read twice.
 */
#ifndef SFT_SRC_PICKLE_WINDOW_H
#define SFT_SRC_PICKLE_WINDOW_H

#include <sft/base.h>

#include "pickle/machine.h"

/* Bytes in the buffer; takes of up to a quarter of it are served from it. */
#define SFT_WINDOW_SIZE UINT64_C(65536)

typedef struct sft_window {
    const sft_pickle_input *input;
    unsigned char *bytes;
    uint64_t capacity;
    uint64_t base; /* where bytes[0] stands in the input */
    uint64_t used; /* bytes that are there */
    uint64_t next; /* the next one to be taken */
} sft_window;

/* Begins at a place of the input, which may lie behind its end. False where there is no memory. */
bool sft_window_open(sft_window *window, const sft_allocator *allocator,
                     const sft_pickle_input *input, uint64_t start);
void sft_window_close(sft_window *window, const sft_allocator *allocator);

static inline uint64_t sft_window_position(const sft_window *window) {
    return window->base + window->next;
}

static inline uint64_t sft_window_left(const sft_window *window) {
    uint64_t position = sft_window_position(window);
    return position < window->input->size ? window->input->size - position : 0;
}

/* Reads on until `size` bytes can be taken, all of which are in the input. */
sft_status sft_window_fill(sft_window *window, uint64_t size, sft_error *error);

/* Copies the next bytes, all of which are in the input, and goes past them. */
sft_status sft_window_copy(sft_window *window, char *to, uint64_t size, sft_error *error);

/* Goes on at a place that is not before the next byte. */
void sft_window_skip(sft_window *window, uint64_t position);

#endif
