# The kernels, compiled once for each instruction set that the target machine may have.
#
# What dispatch/dispatch.cpp asks of the CPU must cover the flags given here.
set(FASTCONV_KERNEL_OPTIONS -O3)
if(FASTCONV_SANITIZE)
  # What sanitizers add to each access of an unrolled tile costs the compiler minutes and gigabytes:
  # accesses stay checked, those to local arrays and the arithmetic of addresses do not.
  set(FASTCONV_KERNEL_OPTIONS -O1
    -fno-sanitize=alignment,bounds,null,object-size,pointer-overflow -Wno-maybe-uninitialized
    $<$<CXX_COMPILER_ID:GNU>:--param=asan-stack=0>)
endif()

function(fastconv_add_isa target name)
  add_library(fastconv_${name} OBJECT
    kernels/isa.cpp kernels/isa_passes.cpp kernels/isa_pool.cpp)
  target_include_directories(fastconv_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_definitions(fastconv_${name} PRIVATE FASTCONV_ISA=${name})
  # Products and sums fuse in every ISA that has the instruction, by the same rule in each.
  target_compile_options(fastconv_${name} PRIVATE
    ${FASTCONV_KERNEL_OPTIONS} -ffp-contract=fast -Wno-psabi ${ARGN})
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:fastconv_${name}>)
endfunction()

function(fastconv_add_kernels target)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    fastconv_add_isa(${target} avx512
      -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma)
    fastconv_add_isa(${target} avx2 -mavx2 -mfma)
    fastconv_add_isa(${target} baseline)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    fastconv_add_isa(${target} neon)
  else()
    fastconv_add_isa(${target} baseline)
  endif()
endfunction()
