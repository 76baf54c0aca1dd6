/* A program outside the tree: one call into the library from every kind of build. */
#include <sft.h>
#include <stdio.h>
#include <string.h>

int main(void) {
    static const unsigned char file[] = "\x08\0\0\0\0\0\0\0{}      ";
    sft_file *handle;
    sft_error error;
    if (sft_open_memory(file, 16, NULL, &handle, &error) != SFT_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    printf("%s %d\n", sft_version(), (int)sft_count(handle));
    sft_close(handle);
    return strcmp(sft_version(), SFT_VERSION_STRING) != 0;
}
