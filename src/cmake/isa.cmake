# The kernels, compiled once for each instruction set that the target machine may have.
#
# What dispatch/dispatch.cpp asks of the CPU must cover the flags given here.

# Loops are unrolled by hand, so that what -O3 adds to -O2 is code alone, a quarter more for no
# layer that is faster; but without -fpeel-loops weights pack slower, which costs a 7 x 7 layer 14%.
# What is worth vectors is written in them: those that GCC adds are 12 KB of the wheel, and no
# faster. The baseline set, for machines without AVX2, is to be small.
set(FASTCONV_CONVOLUTION_OPTIONS -O2 $<$<CXX_COMPILER_ID:GNU>:-fpeel-loops>)
set(FASTCONV_PASS_OPTIONS -O2 $<$<CXX_COMPILER_ID:GNU>:-fvect-cost-model=very-cheap>)
set(FASTCONV_BASELINE_OPTIONS -Os)
if(FASTCONV_SANITIZE)
  # What sanitizers add to each access of an unrolled tile costs the compiler minutes and gigabytes:
  # accesses stay checked, those to local arrays and the arithmetic of addresses do not.
  set(FASTCONV_CONVOLUTION_OPTIONS -O1
    -fno-sanitize=alignment,bounds,null,object-size,pointer-overflow -Wno-maybe-uninitialized
    $<$<CXX_COMPILER_ID:GNU>:--param=asan-stack=0>)
  set(FASTCONV_PASS_OPTIONS ${FASTCONV_CONVOLUTION_OPTIONS})
  set(FASTCONV_BASELINE_OPTIONS ${FASTCONV_CONVOLUTION_OPTIONS})
endif()

# The objects of some of an instruction set's files.
function(fastconv_add_objects target isa part options)
  set(objects fastconv_${isa}_${part})
  add_library(${objects} OBJECT ${ARGN})
  target_include_directories(${objects} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_definitions(${objects} PRIVATE FASTCONV_ISA=${isa})
  # Products and sums fuse in every ISA that has the instruction, by the same rule in each; nothing
  # is thrown through a kernel.
  target_compile_options(${objects} PRIVATE ${options} -ffp-contract=fast -Wno-psabi
    -fno-exceptions -fno-asynchronous-unwind-tables)
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
endfunction()

function(fastconv_add_isa target isa)
  set(convolution ${FASTCONV_CONVOLUTION_OPTIONS})
  set(passes ${FASTCONV_PASS_OPTIONS})
  if(isa STREQUAL baseline)
    set(convolution ${FASTCONV_BASELINE_OPTIONS})
    set(passes ${FASTCONV_BASELINE_OPTIONS})
  endif()
  fastconv_add_objects(${target} ${isa} convolution "${convolution};${ARGN}" kernels/isa.cpp)
  fastconv_add_objects(${target} ${isa} passes "${passes};${ARGN}"
    kernels/isa_passes.cpp kernels/isa_pool.cpp)
endfunction()

# The sets that the target's machines may have, or those of them that FASTCONV_ISAS names.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(FASTCONV_KNOWN_ISAS avx512 avx2 baseline)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(FASTCONV_KNOWN_ISAS neon)
else()
  set(FASTCONV_KNOWN_ISAS baseline)
endif()
set(FASTCONV_ISAS ${FASTCONV_KNOWN_ISAS} CACHE STRING "Kernel sets to build, a list")
set(FASTCONV_avx512_OPTIONS -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma)
set(FASTCONV_avx2_OPTIONS -mavx2 -mfma)

function(fastconv_add_kernels target)
  foreach(isa IN LISTS FASTCONV_ISAS)
    if(NOT isa IN_LIST FASTCONV_KNOWN_ISAS)
      message(FATAL_ERROR "FASTCONV_ISAS has ${isa} (wanted some of ${FASTCONV_KNOWN_ISAS})")
    endif()
    fastconv_add_isa(${target} ${isa} ${FASTCONV_${isa}_OPTIONS})
    string(TOUPPER ${isa} name)
    target_compile_definitions(${target} PRIVATE FASTCONV_WITH_${name})
  endforeach()
endfunction()
