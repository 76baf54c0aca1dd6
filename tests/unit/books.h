/* An allocator that fails when it is told to, and keeps books. */
#ifndef SFT_TESTS_BOOKS_H
#define SFT_TESTS_BOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sft/base.h>

typedef struct books {
    uint64_t calls;
    uint64_t fail_at; /* 0: never */
    uint64_t bytes;   /* held at the moment */
    uint64_t most;    /* that were held at once */
    bool wrong;       /* something was given back with another size than it was taken with */
} books;

/* Stands before each piece, and keeps what follows aligned. */
typedef union books_label {
    size_t size;
    max_align_t alignment;
} books_label;

static inline void *books_take(void *context, size_t size) {
    books *kept = context;
    if (++kept->calls == kept->fail_at) {
        return NULL;
    }
    books_label *piece = malloc(sizeof *piece + size);
    if (piece == NULL) {
        return NULL;
    }
    piece->size = size;
    kept->bytes += size;
    kept->most = kept->bytes > kept->most ? kept->bytes : kept->most;
    /* Nobody may count on zeros. */
    memset(piece + 1, 0xa5, size);
    return piece + 1;
}

static inline void books_give_back(void *context, void *memory, size_t size) {
    if (memory != NULL) {
        books *kept = context;
        books_label *piece = (books_label *)memory - 1;
        kept->wrong = kept->wrong || piece->size != size;
        kept->bytes -= piece->size;
        free(piece);
    }
}

/* Always moves: nobody may count on the old place. */
static inline void *books_resize(void *context, void *memory, size_t old_size, size_t new_size) {
    void *moved = books_take(context, new_size);
    if (moved != NULL && memory != NULL) {
        memcpy(moved, memory, old_size < new_size ? old_size : new_size);
        books_give_back(context, memory, old_size);
    }
    return moved;
}

static inline sft_allocator books_allocator(books *kept) {
    return (sft_allocator){kept, books_take, books_resize, books_give_back};
}

#endif
