#ifndef SKEIN_RPC_SERVER_DESCRIPTOR_SET_H
#define SKEIN_RPC_SERVER_DESCRIPTOR_SET_H

#include <stddef.h>

/* All of proto/ as a serialized google.protobuf.FileDescriptorSet, for gRPC reflection; made by the build. */
extern const unsigned char proto_descriptor_set[];
extern const size_t proto_descriptor_set_len;

#endif
