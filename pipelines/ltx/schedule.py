"""The fixed sigmas of the distilled checkpoint.

Source: Lightricks/LTX-2, ltx_pipelines/utils/constants.py, DISTILLED_SIGMA_VALUES and STAGE_2_DISTILLED_SIGMA_VALUES.
"""

STAGE_1_SIGMAS = (1.0, 0.99375, 0.9875, 0.98125, 0.975, 0.909375, 0.725, 0.421875, 0.0)
STAGE_2_SIGMAS = (0.909375, 0.725, 0.421875, 0.0)
