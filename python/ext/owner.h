/*
 * What keeps the bytes of tensors alive: an open file, or memory of our own.
 *
 * A tensor may die in any thread, in any interpreter, and where there is no interpreter any more.
 * So its bytes are counted in plain C, and freed without Python. An owner stands first in the
 * struct that it counts.
 */
#ifndef SFT_PYTHON_OWNER_H
#define SFT_PYTHON_OWNER_H

#include <stdatomic.h>
#include <stddef.h>

typedef struct owner {
    atomic_size_t count;
    void (*free)(struct owner *self);
} owner;

/* Begins with one hold, the caller's. */
static inline void owner_init(owner *self, void (*free)(owner *self)) {
    atomic_init(&self->count, 1);
    self->free = free;
}

/* Any thread that has a hold already. */
static inline owner *owner_hold(owner *self) {
    atomic_fetch_add_explicit(&self->count, 1, memory_order_relaxed);
    return self;
}

/* Any thread. NULL is fine. */
static inline void owner_drop(owner *self) {
    if (self != NULL && atomic_fetch_sub_explicit(&self->count, 1, memory_order_acq_rel) == 1) {
        self->free(self);
    }
}

#endif
