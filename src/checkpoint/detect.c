#include "checkpoint/detect.h"

#include <string.h>

#include "base/checked.h"
#include "checkpoint/detect_pickle.h"
#include "checkpoint/tar.h"

static const char *const names[] = {
    [SFT_FORMAT_UNRECOGNIZED] = "unrecognized",
    [SFT_FORMAT_SAFETENSORS] = "safetensors",
    [SFT_FORMAT_ZIP] = "zip",
    [SFT_FORMAT_TORCH_ZIP] = "torch_zip",
    [SFT_FORMAT_TORCHSCRIPT] = "torchscript",
    [SFT_FORMAT_NPZ] = "npz",
    [SFT_FORMAT_TORCH_LEGACY] = "torch_legacy",
    [SFT_FORMAT_TORCH_TAR] = "torch_tar",
    [SFT_FORMAT_TAR] = "tar",
    [SFT_FORMAT_PICKLE] = "pickle",
    [SFT_FORMAT_JOBLIB] = "joblib",
    [SFT_FORMAT_NPY] = "npy",
    [SFT_FORMAT_GZIP] = "gzip",
    [SFT_FORMAT_ZLIB] = "zlib",
    [SFT_FORMAT_7Z] = "7z",
    [SFT_FORMAT_BZIP2] = "bzip2",
    [SFT_FORMAT_XZ] = "xz",
    [SFT_FORMAT_ZSTD] = "zstd",
    [SFT_FORMAT_LZ4] = "lz4",
    [SFT_FORMAT_LZMA] = "lzma",
    [SFT_FORMAT_RAR] = "rar",
    [SFT_FORMAT_HDF5] = "hdf5",
    [SFT_FORMAT_GGUF] = "gguf",
};

const char *sft_format_name(sft_format format) {
    return (size_t)format < sizeof names / sizeof names[0] ? names[format] : NULL;
}

bool sft_format_supported(sft_format format) {
    return format > SFT_FORMAT_UNRECOGNIZED && format < SFT_FORMAT_7Z;
}

typedef struct signature {
    const char *bytes;
    size_t length;
    sft_format format;
} signature;

#define SIGNATURE(bytes, format)                                                                   \
    { (bytes), sizeof(bytes) - 1, (format) }

/* Each from the description of its format. Those of bzip2 are with the first block's, or that of
 * the end of an empty file: three letters alone may begin a pickle. */
static const signature signatures[] = {
    SIGNATURE("PK\x03\x04", SFT_FORMAT_ZIP),         SIGNATURE("PK\x05\x06", SFT_FORMAT_ZIP),
    SIGNATURE("\x93NUMPY", SFT_FORMAT_NPY),          SIGNATURE("\x1f\x8b\x08", SFT_FORMAT_GZIP),
    SIGNATURE("7z\xbc\xaf\x27\x1c", SFT_FORMAT_7Z),  SIGNATURE("\xfd\x37zXZ\0", SFT_FORMAT_XZ),
    SIGNATURE("\x28\xb5\x2f\xfd", SFT_FORMAT_ZSTD),  SIGNATURE("\x04\x22\x4d\x18", SFT_FORMAT_LZ4),
    SIGNATURE("\x5d\x00\x00", SFT_FORMAT_LZMA),      SIGNATURE("Rar!\x1a\x07", SFT_FORMAT_RAR),
    SIGNATURE("\x89HDF\r\n\x1a\n", SFT_FORMAT_HDF5), SIGNATURE("GGUF", SFT_FORMAT_GGUF),
};

static bool is_bzip2(const unsigned char *bytes, size_t size) {
    return size >= 10 && memcmp(bytes, "BZh", 3) == 0 && bytes[3] >= '1' && bytes[3] <= '9' &&
           (memcmp(bytes + 4, "1AY&SY", 6) == 0 ||
            memcmp(bytes + 4, "\x17\x72\x45\x38\x50\x90", 6) == 0);
}

/* RFC 1950: deflate with a window of 32 KiB, as everybody writes it, a check of five bits, and no
 * dictionary. */
static bool is_zlib(const unsigned char *bytes, size_t size) {
    return size >= 2 && bytes[0] == 0x78 && (bytes[1] & 0x20) == 0 &&
           (bytes[0] << 8 | bytes[1]) % 31 == 0;
}

static bool is_safetensors(const unsigned char *bytes, size_t size, uint64_t file_size) {
    if (size < 9 || bytes[8] != '{') {
        return false;
    }
    uint64_t length = 0;
    for (unsigned i = 0; i < 8; i++) {
        length |= (uint64_t)bytes[i] << (8 * i);
    }
    return length <= file_size - 8;
}

static sft_format look(const unsigned char *bytes, size_t size, uint64_t file_size) {
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++) {
        const signature *known = &signatures[i];
        if (size >= known->length && memcmp(bytes, known->bytes, known->length) == 0) {
            return known->format;
        }
    }
    if (is_safetensors(bytes, size, file_size)) {
        return SFT_FORMAT_SAFETENSORS;
    }
    if (is_bzip2(bytes, size)) {
        return SFT_FORMAT_BZIP2;
    }
    if (sft_tar_begins(bytes, size)) {
        return SFT_FORMAT_TAR;
    }
    if (sft_begins_as_pickle(bytes, size, file_size)) {
        return SFT_FORMAT_PICKLE;
    }
    return is_zlib(bytes, size) ? SFT_FORMAT_ZLIB : SFT_FORMAT_UNRECOGNIZED;
}

sft_status sft_detect(const sft_region *region, sft_format *format, sft_error *error) {
    unsigned char bytes[SFT_PICKLE_LOOK];
    size_t size = (size_t)sft_min(sizeof bytes, region->size);
    *format = SFT_FORMAT_UNRECOGNIZED;
    sft_status status = sft_region_read(region, 0, bytes, size, error);
    if (status == SFT_OK) {
        *format = look(bytes, size, region->size);
    }
    return status;
}
