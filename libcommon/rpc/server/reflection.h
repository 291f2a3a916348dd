#ifndef SKEIN_RPC_SERVER_REFLECTION_H
#define SKEIN_RPC_SERVER_REFLECTION_H

#include "base/text/buf.h"
#include "base/error.h"
#include "base/text/str.h"

/*
 * The answers of grpc.reflection.v1alpha.ServerReflection, from
 * a serialized google.protobuf.FileDescriptorSet. Knows list_services,
 * file_by_filename and file_containing_symbol; the two requests about
 * extensions get an error response, as the protocol says. Each request walks the
 * whole set: reflection is for people with grpcurl, not for services.
 */

/* ERR_INVALID_ARGUMENT: the set does not parse, so the build is broken. For the start of a server. */
err_t reflection_check(struct str descriptor_set) MUST_CHECK;

/* Appends a ServerReflectionResponse. ERR_INVALID_ARGUMENT when `request` is no ServerReflectionRequest. */
err_t reflection_answer(struct buf *response, struct str descriptor_set, struct str request) MUST_CHECK;

#endif
