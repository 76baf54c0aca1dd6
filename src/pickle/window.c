#include "pickle/window.h"

#include <string.h>

#include "base/checked.h"
#include "base/memory.h"

bool sft_window_open(sft_window *window, const sft_allocator *allocator,
                     const sft_pickle_input *input, uint64_t start) {
    uint64_t left = start < input->size ? input->size - start : 0;
    *window = (sft_window){input, NULL, sft_min(left, SFT_WINDOW_SIZE), start, 0, 0};
    window->bytes = sft_allocate(allocator, window->capacity);
    return window->bytes != NULL;
}

void sft_window_close(sft_window *window, const sft_allocator *allocator) {
    sft_release(allocator, window->bytes, window->capacity);
    window->bytes = NULL;
}

sft_status sft_window_fill(sft_window *window, uint64_t size, sft_error *error) {
    uint64_t kept = window->used - window->next;
    if (kept >= size) {
        return SFT_OK;
    }
    memmove(window->bytes, window->bytes + window->next, (size_t)kept);
    window->base += window->next;
    window->next = 0;
    window->used = kept;
    uint64_t from = window->base + kept;
    uint64_t more = sft_min(window->capacity - kept, window->input->size - from);
    sft_status status =
        window->input->read(window->input->context, from, window->bytes + kept, more, error);
    if (status == SFT_OK) {
        window->used += more;
    }
    return status;
}

sft_status sft_window_copy(sft_window *window, char *to, uint64_t size, sft_error *error) {
    uint64_t here = sft_min(window->used - window->next, size);
    memcpy(to, window->bytes + window->next, (size_t)here);
    window->next += here;
    if (here == size) {
        return SFT_OK;
    }
    uint64_t from = sft_window_position(window);
    sft_status status =
        window->input->read(window->input->context, from, to + here, size - here, error);
    if (status == SFT_OK) {
        sft_window_skip(window, from + (size - here));
    }
    return status;
}

void sft_window_skip(sft_window *window, uint64_t position) {
    uint64_t ahead = position - window->base;
    if (ahead <= window->used) {
        window->next = ahead;
        return;
    }
    window->base = position;
    window->used = 0;
    window->next = 0;
}
