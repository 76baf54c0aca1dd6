/* What a file is, by its content alone. */
#ifndef SFT_SRC_CHECKPOINT_DETECT_H
#define SFT_SRC_CHECKPOINT_DETECT_H

#include <sft/base.h>

#include "checkpoint/region.h"

typedef enum sft_format {
    SFT_FORMAT_UNRECOGNIZED,
    SFT_FORMAT_SAFETENSORS,
    SFT_FORMAT_ZIP, /* refined by its members to one of the three below */
    SFT_FORMAT_TORCH_ZIP,
    SFT_FORMAT_TORCHSCRIPT,
    SFT_FORMAT_NPZ,
    SFT_FORMAT_TORCH_LEGACY,
    SFT_FORMAT_TORCH_TAR,
    SFT_FORMAT_TAR,
    SFT_FORMAT_PICKLE,
    SFT_FORMAT_JOBLIB,
    SFT_FORMAT_NPY,
    SFT_FORMAT_GZIP,
    SFT_FORMAT_ZLIB,
    SFT_FORMAT_7Z, /* from here on: known, and not supported */
    SFT_FORMAT_BZIP2,
    SFT_FORMAT_XZ,
    SFT_FORMAT_ZSTD,
    SFT_FORMAT_LZ4,
    SFT_FORMAT_LZMA,
    SFT_FORMAT_RAR,
    SFT_FORMAT_HDF5,
    SFT_FORMAT_GGUF
} sft_format;

/* "torch_zip", as sft_scan_format() gives it. Static. */
const char *sft_format_name(sft_format format);

/* False for those that are known, but not supported. */
bool sft_format_supported(sft_format format);

/*
 * Looks at the first bytes (and for tar at the first record). ZIP is not refined, PICKLE not told
 * apart from TORCH_LEGACY and JOBLIB: their readers do that. PICKLE is said of what begins with
 * PROTO, and of what begins as a protocol 0 or 1 pickle may begin. SFT_READ_FAILED,
 * SFT_FILE_SHRANK.
 */
sft_status sft_detect(const sft_region *region, sft_format *format, sft_error *error);

#endif
