/* The inside of a framework: how one of its tensors is made. */
#ifndef SFT_PYTHON_ARRAYS_H
#define SFT_PYTHON_ARRAYS_H

#include <stdatomic.h>

#include "framework.h"
#include "numpy_api.h"

/* An element type as a framework has it. Never changes once it is made. */
typedef struct element_type {
    PyObject *dtype;  /* a numpy.dtype or a torch.dtype */
    uint32_t bits;    /* of one element as the framework counts them: 8 for torch's packed F4 */
    bool by_exchange; /* torch: DLPack has a name for it, and torch knows that */
} element_type;

struct framework {
    PyObject_HEAD
    framework_kind kind;
    PyObject *device;  /* None: the CPU */
    PyObject *module;  /* numpy or torch */
    PyObject *make;    /* numpy.ndarray, or torch's function for DLPack capsules */
    PyObject *convert; /* from a numpy array to the framework's own, or NULL */
    numpy_api numpy;   /* the quick way to make's arrays, if there is one */
    element_type *_Atomic elements[SFT_DTYPES]; /* those that were needed so far */
};

/* Bytes that tensors lie in, which one Python buffer can stand for. */
typedef struct byte_region {
    owner *keep;
    void *start;
    uint64_t size;
    bool writable;
    PyObject *buffer; /* NULL until an array needs it; the region's user drops it */
} byte_region;

/* What to make: a tensor whose bytes lie at `data`, in the region. */
typedef struct tensor_layout {
    void *data;
    uint64_t bytes;
    sft_dtype dtype;
    uint32_t rank;
    const uint64_t *shape;
    PyObject *name; /* for messages */
} tensor_layout;

/* As framework_tensor(), for tensors that share a region. */
PyObject *framework_place(framework *self, byte_region *region, const tensor_layout *layout);

/* A SafetensorError (also a KeyError) for a type that the framework lacks. Returns NULL. */
PyObject *framework_lacks(framework *self, sft_dtype dtype, PyObject *name);

/* The element type of a layout, looked up once; NULL with an exception. */
const element_type *framework_element(framework *self, const tensor_layout *layout);

/*
 * The two kinds of tensors that all others are made from. Each has a function that finds the
 * module's entry points, one for an element type (0, or -1 with an exception), and one for a
 * tensor (a new reference, or NULL with an exception).
 */
int numpy_prepare(framework *self);
int numpy_element(framework *self, const tensor_layout *layout, element_type *element);
PyObject *numpy_array(framework *self, byte_region *region, const tensor_layout *layout);

int torch_prepare(framework *self);
int torch_element(framework *self, const tensor_layout *layout, element_type *element);
PyObject *torch_tensor(framework *self, byte_region *region, const tensor_layout *layout);

#endif
