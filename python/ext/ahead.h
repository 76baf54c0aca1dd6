/*
 * Small tensors that are asked for one by one, in the order of the file, are read many at a time:
 * a system call for each of them costs more than all else that it takes to make one.
 */
#ifndef SFT_PYTHON_AHEAD_H
#define SFT_PYTHON_AHEAD_H

#include "arrays.h"
#include "handle.h"

/* Tensors that lie next to each other in a file, read into one block. */
typedef struct ahead_window ahead_window;

/* Of one open file, for one sequence. Whoever uses it sees to it that nobody else does. */
typedef struct ahead {
    ahead_window *window; /* NULL: none */
    uint64_t next;        /* the tensor that would go on with the sequence */
    uint64_t reach;       /* bytes to read ahead when it does; 0: it is no sequence yet */
} ahead;

/*
 * Looks for a tensor in the window. Each is there once: a second time it is read again, for no two
 * arrays share memory.
 *
 * @index: its place in the file
 * @data: receives where its bytes are
 *
 * Returns true and fills @region, whose hold (keep) and reference (buffer) the caller gives back.
 */
bool ahead_take(ahead *self, uint64_t index, byte_region *region, void **data);

/*
 * Notes that a tensor is asked for that was not in the window. Returns how many bytes to read, from
 * it on; 0 where it alone is wanted.
 */
uint64_t ahead_reach(ahead *self, uint64_t index);

/*
 * Reads a window that begins with a tensor. NULL, without an exception, if that does not pay or
 * fails: then the tensor is read by itself. Needs no one's permission.
 */
ahead_window *ahead_read(module_state *state, const handle *file, uint64_t index, uint64_t reach);

/* Makes it the window from now on; returns the one before it, to be freed. */
ahead_window *ahead_put(ahead *self, ahead_window *window);

/* NULL is fine. */
void ahead_free(ahead_window *window);

#endif
