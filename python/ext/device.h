/* Where tensors go: the names of devices. */
#ifndef SFT_PYTHON_DEVICE_H
#define SFT_PYTHON_DEVICE_H

#include "state.h"

/*
 * Reads a device as users write it: None and "cpu" are the CPU; "cuda", "musa", "mps", "npu",
 * "xpu", "xla", "mlu" and "hpu", all with ":N" or without; a number; a torch.device.
 *
 * Returns a new reference: None for the CPU, else the device in full ("cuda:0" for "cuda"), or the
 * number; NULL with a SafetensorError for no device, a ValueError for no number behind the colon.
 */
PyObject *device_read(module_state *state, PyObject *device);

#endif
