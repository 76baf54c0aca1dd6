/*
 * sft: the safetensors format in C.
 *
 * This header includes every topic of the library. Together the headers in
 * sft/ are the manual:
 *
 *   sft/base.h      version, status, error, memory
 *   sft/dtype.h     the element types
 *   sft/header.h    what a header says: tensors and metadata
 *   sft/slice.h     parts of a tensor
 *   sft/memory.h    room for tensors, on large pages
 *   sft/reader.h    one file: open, look up, read
 *   sft/shards.h    a model in several files, read as one
 *   sft/writer.h    new files, in one call or as a stream
 *   sft/edit.h      the metadata of an existing file
 *   sft/scan.h      what a checkpoint from a stranger would do
 *   sft/convert.h   other checkpoint formats to safetensors
 *
 * The library prints nothing, keeps no global state, installs no signal
 * handler, and never aborts on bad input.
 */
#ifndef SFT_H
#define SFT_H

#include <sft/base.h>
#include <sft/convert.h>
#include <sft/dtype.h>
#include <sft/edit.h>
#include <sft/header.h>
#include <sft/memory.h>
#include <sft/reader.h>
#include <sft/scan.h>
#include <sft/shards.h>
#include <sft/slice.h>
#include <sft/writer.h>

#endif /* SFT_H */
