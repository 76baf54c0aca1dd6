/*
 * How a handle makes tensors: which framework, which device. Looked up once, when a file is opened,
 * and shared by the handle and its slices.
 */
#ifndef SFT_PYTHON_FRAMEWORK_H
#define SFT_PYTHON_FRAMEWORK_H

#include <sft.h>

#include "owner.h"
#include "state.h"

typedef enum framework_kind {
    FRAMEWORK_TORCH,
    FRAMEWORK_NUMPY,
    FRAMEWORK_TENSORFLOW,
    FRAMEWORK_JAX,
    FRAMEWORK_MLX,
    FRAMEWORK_PADDLE
} framework_kind;

typedef struct framework framework; /* a Python object */

/* The kind that users call "pt", "numpy"…, by a str; 0, or -1 with a SafetensorError. */
int framework_read_kind(module_state *state, PyObject *name, framework_kind *kind);

/*
 * Finds what a framework needs, and imports its module.
 *
 * @device: what device_read() returned
 *
 * Returns a new reference, or NULL with an exception: SafetensorError for a device that the
 * framework has not, ImportError where the framework is not installed.
 */
framework *framework_new(module_state *state, framework_kind kind, PyObject *device);

framework_kind framework_kind_of(const framework *self);

/*
 * Makes a framework's tensor over bytes that lie in memory.
 *
 * @self: the framework
 * @keep: what keeps the bytes alive; the tensor takes a hold of its own where it uses them
 * @data: dense, little-endian, of the size that dtype and shape need; NULL if that is 0
 * @writable: whether the tensor may change the bytes; if not and the framework knows no
 *     read-only tensors, they are copied
 * @name: the tensor's, for messages
 *
 * Returns a new reference, on the framework's device; NULL with an exception: SafetensorError for a
 * type that the framework has not, or whatever the framework raises.
 */
PyObject *framework_tensor(framework *self, owner *keep, void *data, sft_dtype dtype,
                           const uint64_t *shape, uint32_t rank, bool writable, PyObject *name);

#endif
