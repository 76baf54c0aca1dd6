/*
 * The tensors and the metadata of a dict, as the arrays that the library writes from.
 *
 * Everything is taken from Python at once: after that no object that changes, no buffer that is
 * resized and no other thread can alter what is written, or where it lies. Only what the bytes
 * themselves are stays with their owners.
 */
#ifndef SFT_PYTHON_COLLECT_H
#define SFT_PYTHON_COLLECT_H

#include <sft.h>

#include "state.h"

/* Keys and values of a dict at one moment, with a reference to each. */
typedef struct snapshot {
    PyObject **items; /* key, value, key, value… */
    Py_ssize_t count; /* pairs */
} snapshot;

/* Metadata; its texts lie in the objects of the snapshot. */
typedef struct collected_metadata {
    snapshot snapshot;
    sft_metadata_entry *entries;
} collected_metadata;

/* What a tensor given as a dict needs beyond a snapshot. */
typedef struct held_tensor {
    Py_buffer buffer;
    uint64_t *shape;
} held_tensor;

/* Tensors; names, TensorSpecs and their shapes lie in the objects of the snapshot. */
typedef struct collected_tensors {
    snapshot snapshot;
    sft_tensor_data *tensors;
    held_tensor *held; /* one for each tensor that is a dict */
    Py_ssize_t held_count;
} collected_tensors;

/*
 * Takes {name: TensorSpec}, or {name: {"dtype", "shape", "data"}}, or both in one dict.
 *
 * Returns 0, or -1 with an exception: TypeError, SafetensorError, OverflowError, BufferError, or
 * whatever an object of the caller's raises. On success the caller frees what was collected with
 * collected_tensors_free(); on failure nothing is left to free. Freeing twice does no harm. All of
 * it needs the interpreter.
 */
int collect_tensors(module_state *state, PyObject *dict, collected_tensors *collected);
void collected_tensors_free(collected_tensors *collected);

/*
 * Takes a dict of str to str, or None, and puts it into the options, which then point into what is
 * collected. Returns and is freed as above.
 */
int collect_metadata(PyObject *metadata, sft_write_options *options, collected_metadata *collected);
void collected_metadata_free(collected_metadata *collected);

#endif
