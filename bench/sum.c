/*
 * bench._sum: a 64-bit sum of every byte that was loaded, at the speed of memory.
 *
 * It stops the clock of each benchmark that loads something, so it must cost little and the same
 * for everyone: one thread, one call for all tensors of a file.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

static uint64_t sum_run(const unsigned char *bytes, size_t size) {
    uint64_t sum = 0;
    size_t words = size / sizeof(uint64_t);
    for (size_t i = 0; i < words; i++) {
        uint64_t word; /* tensors need not be aligned */
        memcpy(&word, bytes + i * sizeof word, sizeof word);
        sum += word;
    }
    uint64_t last = 0;
    memcpy(&last, bytes + words * sizeof last, size % sizeof last);
    return sum + last;
}

/* Rows one after the other: a slice taken as a view has gaps between them. */
static uint64_t sum_dimension(const Py_buffer *view, const unsigned char *bytes, int dimension) {
    Py_ssize_t run = view->itemsize;
    for (int d = dimension; d < view->ndim; d++) {
        run *= view->shape[d];
    }
    if (run == 0) {
        return 0;
    }
    Py_ssize_t stride = view->itemsize;
    int d = view->ndim;
    while (d > dimension && view->strides[d - 1] == stride) {
        stride *= view->shape[--d];
    }
    if (d == dimension) {
        return sum_run(bytes, (size_t)run);
    }
    uint64_t sum = 0;
    for (Py_ssize_t i = 0; i < view->shape[dimension]; i++) {
        sum += sum_dimension(view, bytes + i * view->strides[dimension], dimension + 1);
    }
    return sum;
}

static PyObject *result_of(uint64_t sum, uint64_t bytes) {
    return Py_BuildValue("KK", (unsigned long long)sum, (unsigned long long)bytes);
}

static PyObject *sum_buffers(PyObject *module, PyObject *arrays) {
    (void)module;
    PyObject *list = PySequence_Fast(arrays, "sum_buffers() takes a sequence of arrays");
    if (list == NULL) {
        return NULL;
    }
    uint64_t sum = 0;
    uint64_t bytes = 0;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list); i++) {
        Py_buffer view;
        if (PyObject_GetBuffer(PySequence_Fast_GET_ITEM(list, i), &view, PyBUF_STRIDED_RO) < 0) {
            Py_DECREF(list);
            return NULL;
        }
        sum += sum_dimension(&view, view.buf, 0);
        bytes += (uint64_t)view.len;
        PyBuffer_Release(&view);
    }
    Py_DECREF(list);
    return result_of(sum, bytes);
}

static PyObject *sum_memory(PyObject *module, PyObject *regions) {
    (void)module;
    PyObject *list = PySequence_Fast(regions, "sum_memory() takes a sequence of pairs");
    if (list == NULL) {
        return NULL;
    }
    uint64_t sum = 0;
    uint64_t bytes = 0;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list); i++) {
        unsigned long long address;
        unsigned long long size;
        if (!PyArg_ParseTuple(PySequence_Fast_GET_ITEM(list, i), "KK", &address, &size)) {
            Py_DECREF(list);
            return NULL;
        }
        sum += sum_run((const unsigned char *)(uintptr_t)address, (size_t)size);
        bytes += size;
    }
    Py_DECREF(list);
    return result_of(sum, bytes);
}

static PyMethodDef functions[] = {
    {"sum_buffers", sum_buffers, METH_O,
     "sum_buffers(arrays) -> (sum, bytes): of the memory of arrays, contiguous or not."},
    {"sum_memory", sum_memory, METH_O,
     "sum_memory(regions) -> (sum, bytes): of memory given by pairs of address and size."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,  .m_name = "_sum", .m_doc = "A 64-bit sum of memory.",
    .m_methods = functions, .m_slots = slots,
};

PyMODINIT_FUNC PyInit__sum(void);

PyMODINIT_FUNC PyInit__sum(void) {
    return PyModuleDef_Init(&definition);
}
