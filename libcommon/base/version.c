#include "base/config/config.h"

const char skein_version[] = SKEIN_VERSION;
