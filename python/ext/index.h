/*
 * What a Python index, the x of `slice[x]`, asks for of a tensor.
 *
 * Two rules are known. torch tensors are indexed as torch itself does it; what of that is a matter
 * of bytes to read is found out here, the rest is left to torch. All other frameworks share one
 * rule, that of the Rust implementation, with its messages: integers and slices that keep within
 * the tensor, one Ellipsis, and the empty list for no rows at all.
 */
#ifndef SFT_PYTHON_INDEX_H
#define SFT_PYTHON_INDEX_H

#include <sft.h>

#include "state.h"

/* The part of a tensor to be read, and what is to be done with it then. */
typedef struct selection {
    uint32_t count; /* ranges in use; the dimensions behind them are whole */
    sft_range ranges[SFT_DEFAULT_RANK];
    uint32_t rank; /* of the part, by its header's elements */
    uint64_t shape[SFT_DEFAULT_RANK];
    uint64_t bytes;
    PyObject *rest; /* the index for the tensor of that part; NULL where nothing is left to do */
    bool doubtful;  /* torch may well refuse the index: ask it before anything is read */
} selection;

/*
 * Reads an index by the common rule. May run code of the caller's own objects.
 *
 * @state, @index: whose error it is; the index
 * @tensor: of a rank up to SFT_DEFAULT_RANK, as files opened with the default limits have it
 * @part: receives what to read; `rest` is NULL and `doubtful` false
 *
 * Returns 0, or -1 with an exception: SafetensorError, or the TypeError or OverflowError of a bound
 * that is no integer of 64 bits without a sign, or whatever such a bound raises itself.
 */
int index_select(module_state *state, PyObject *index, const sft_tensor *tensor, selection *part);

/*
 * Finds what torch needs of a tensor for an index. Any index is fine: where it cannot be told, all
 * of the tensor is selected and the rest is the index itself.
 *
 * @shape: the tensor's as torch has it, tensor->rank dimensions
 * @packing: elements of the header in one of torch's, as dtype_packing() says
 * @part: receives what to read; index_clear() drops `rest`
 *
 * Returns 0, or -1 with an exception, such as KeyboardInterrupt, that is not the index's.
 */
int index_narrow(module_state *state, PyObject *index, const sft_tensor *tensor,
                 const uint64_t *shape, uint64_t packing, selection *part);

/* The Python slice that is a range with all its bounds. Returns a new reference, or NULL. */
PyObject *index_slice(const sft_range *range);

/* Drops what a selection holds. */
static inline void index_clear(selection *part) {
    Py_CLEAR(part->rest);
}

#endif
