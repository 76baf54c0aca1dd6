/* What the parts of the zip reader share. Numbers of sections are those of APPNOTE.TXT 6.3.10. */
#ifndef SFT_SRC_CHECKPOINT_ZIP_PARTS_H
#define SFT_SRC_CHECKPOINT_ZIP_PARTS_H

#include "checkpoint/zip.h"

#define SFT_ZIP_LOCAL_SIZE 30
#define SFT_ZIP_CENTRAL_SIZE 46

/* General purpose flags, 4.4.4. */
#define SFT_ZIP_FLAG_DESCRIPTOR UINT16_C(0x0008)
#define SFT_ZIP_FLAG_UTF8 UINT16_C(0x0800)

#define SFT_ZIP_STORED 0
#define SFT_ZIP_DEFLATE 8

/* While an archive is being opened. */
typedef struct sft_zip_reader {
    sft_zip *zip;
    const sft_zip_options *options;
    uint64_t end;       /* where the end record stands (the zip64 one, if there is one) */
    uint64_t directory; /* where the directory begins */
    uint64_t directory_size;
    uint64_t count;
    uint64_t base; /* to be added to every offset that the archive states */
} sft_zip_reader;

static inline uint16_t sft_zip_16(const unsigned char *bytes) {
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static inline uint32_t sft_zip_32(const unsigned char *bytes) {
    return sft_zip_16(bytes) | (uint32_t)sft_zip_16(bytes + 2) << 16;
}

static inline uint64_t sft_zip_64(const unsigned char *bytes) {
    return sft_zip_32(bytes) | (uint64_t)sft_zip_32(bytes + 4) << 32;
}

/* Tells of something odd. */
void sft_zip_tell(const sft_zip_reader *reader, sft_severity severity, const char *code,
                  const sft_zip_entry *entry, uint64_t byte, const char *detail);

/* zip_end.c: finds end records and directory. */
sft_status sft_zip_read_end(sft_zip_reader *reader, sft_error *error);

/* zip_directory.c: reads the directory into the entries. */
sft_status sft_zip_read_directory(sft_zip_reader *reader, sft_error *error);

/* What the extra field of a record says that matters, 4.5. */
typedef struct sft_zip_extra {
    bool sound;                 /* it ends where its last part does */
    const unsigned char *zip64; /* NULL if there is none */
    size_t zip64_size;
    bool zip64_twice;
    const unsigned char *unicode; /* another name for the file, NULL if there is none */
    size_t unicode_size;
} sft_zip_extra;

sft_zip_extra sft_zip_read_extra(const unsigned char *bytes, size_t size);

/* Replaces each value that is all ones by the next one of the zip64 field; false if there are not
 * enough. Without such a field all stay. */
bool sft_zip_widen(const sft_zip_extra *extra, uint64_t *const *values, unsigned count);

/* zip_local.c: holds every local record against the directory. */
sft_status sft_zip_read_locals(sft_zip_reader *reader, sft_error *error);

/* zip_names.c: looks for names that are not safe, or stand twice. */
sft_status sft_zip_read_names(sft_zip_reader *reader, sft_error *error);

/* How many slots the index of names takes for so many entries. */
uint64_t sft_zip_index_capacity(uint64_t count);

#endif
