"""The shapes of tiny models: one table for every configuration's keys, and what some classes need of their own."""

from __future__ import annotations

from typing import Any

WINDOW = 48
"""Tokens that windowed, chunked and sparse attention see: more than a trial's sequences have, fewer than the sweep's."""

SHAPES: dict[str, Any] = {
    "vocab_size": 512,
    # width
    "hidden_size": 64, "d_model": 64, "n_embd": 64, "emb_dim": 64, "embedding_size": 64, "word_embed_proj_dim": 64,
    # layers
    "num_hidden_layers": 4, "num_layers": 4, "n_layer": 4, "n_layers": 4, "decoder_layers": 4, "encoder_layers": 1,
    "num_decoder_layers": 4, "num_encoder_layers": 1,
    # heads
    "num_attention_heads": 4, "num_heads": 4, "n_head": 4, "n_heads": 4, "decoder_attention_heads": 4,
    "encoder_attention_heads": 4, "num_decoder_attention_heads": 4, "num_encoder_attention_heads": 4, "attention_heads": 4,
    "num_key_value_heads": 2, "num_kv_heads": 2, "head_dim": 24, "d_kv": 16,
    # feed-forward
    "intermediate_size": 96, "ffn_dim": 96, "decoder_ffn_dim": 96, "encoder_ffn_dim": 96, "n_inner": 96, "dff": 96,
    "d_inner": 96, "ffn_hidden_size": 96,
    # positions
    "max_position_embeddings": 512, "n_positions": 512, "n_ctx": 512, "max_seq_len": 512, "context_length": 512,
    # windows
    "sliding_window": WINDOW, "use_sliding_window": True, "max_window_layers": 2, "window_size": WINDOW,
    "sliding_window_size": WINDOW, "attention_window_size": WINDOW, "local_attention": 2 * WINDOW,
    "attention_chunk_size": WINDOW, "local_attention_window_len": WINDOW, "keep_window_size": WINDOW, "block_size": 16,
    # latent attention
    "q_lora_rank": 32, "kv_lora_rank": 24, "qk_rope_head_dim": 8, "qk_nope_head_dim": 16, "v_head_dim": 12,
    # experts
    "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "moe_num_experts": 4, "num_experts_per_tok": 2,
    "moe_k": 2, "moe_topk": 2, "n_shared_experts": 1, "num_shared_experts": 1, "moe_num_shared_experts": 1, "n_group": 1,
    "topk_group": 1, "moe_intermediate_size": 48, "shared_expert_intermediate_size": 48, "shared_intermediate_size": 48,
    "first_k_dense_replace": 1, "num_dense_layers": 1, "num_nextn_predict_layers": 0, "num_mtp_layers": 0,
    # state space, linear attention, convolution
    "mamba_d_state": 16, "mamba_n_heads": 4, "mamba_d_head": 32, "mamba_n_groups": 1, "mamba_chunk_size": 16,
    "state_size": 16, "ssm_state_size": 16, "n_groups": 1, "mamba_num_heads": 4, "mamba_head_dim": 32, "chunk_size": 16,
    "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 16, "linear_value_head_dim": 16,
    "conv_kernel": 4, "time_step_rank": 4, "mamba_dt_rank": 4,
    # sparse attention
    "index_topk": WINDOW, "index_head_dim": 16, "index_n_heads": 16, "index_block_size": 16,
    "index_topk_blocks": WINDOW // 16,
    # positions from which a scale grows
    "floor_scale": 16, "log_scaling_n_floor": 16,
    # tokens
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "forced_eos_token_id": None, "decoder_start_token_id": 1,
    # decoders that are encoders as well
    "is_decoder": True, "add_cross_attention": False,
    # scales that a class leaves at 1
    "residual_multiplier": 0.7, "attention_multiplier": 0.3, "logits_scaling": 1.7, "embedding_multiplier": 1.3,
    "attention_bias": True, "mlp_bias": True,
    # caps on logits, near enough to be felt
    "final_logit_softcapping": 3.0, "logits_soft_cap": 3.0, "output_logit_soft_cap": 3.0,
}  # fmt: skip

LATENT = {"num_key_value_heads": 4}
"""Latent attention has as many key heads as query heads."""
ALTERNATE = ["sliding_attention", "full_attention"] * 2
HYBRID = ["linear_attention", "full_attention"] * 2
TOWER = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28,
         "patch_size": 14}  # fmt: skip
"""An encoder of images that the text never reaches."""

OWN: dict[str, dict[str, Any]] = {
    "axk1": LATENT,
    "axk2": LATENT,
    "bailing_hybrid": {"layer_types": HYBRID, "num_key_value_heads": 4},
    "bamba": {"attn_layer_indices": [1, 3]},
    "blt": {"encoder_hash_byte_group_vocab": 64, "encoder_config": {"hidden_size_global": 64},
            "decoder_config": {"hidden_size_global": 64}},
    "codegen": {"rotary_dim": 8},
    "cohere": {"logit_scale": 0.8},
    "cohere2": {"logit_scale": 0.8},
    "cohere2_moe": {"logit_scale": 0.8},
    "cohere_compass_text": {
        "logit_scale": 0.8,
        "layer_types": ALTERNATE,
        "rope_parameters": {kind: {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [3, 3, 2]}
                            for kind in ("sliding_attention", "full_attention")},
    },
    "cpmant": {"dim_head": 16, "dim_ff": 96, "position_bias_num_buckets": 32, "position_bias_max_distance": 64},
    "deepseek_v2": LATENT,
    "deepseek_v3": LATENT,
    "deepseek_v32": LATENT,
    "dbrx": {"attn_config": {"kv_n_heads": 2, "rope_theta": 1e4, "clip_qkv": 2.0}, "ffn_config": {"moe_top_k": 2}},
    "deepseek_v4": {"compress_rates": {"compressed_sparse_attention": 4, "heavily_compressed_attention": WINDOW}},
    "dots3_note": {
        "vision_config": {"mlp_layer_types": ["dense"] * 4, "adapter_in_dim": 64, "adapter_out_dim": 64, "head_dim": 16},
        "audio_config": {"adapter_input_size": 64, "adapter_out_dim": 64},
    },
    "dots3_note_text": {
        "num_key_value_heads": 4, "swa_num_attention_heads": 4, "swa_num_key_value_heads": 4, "swa_q_lora_rank": 32,
        "swa_kv_lora_rank": 24, "swa_head_dim": 24, "swa_qk_nope_head_dim": 16, "swa_v_head_dim": 12,
    },
    "falcon_h1": {"mamba_d_ssm": 128},
    "gemma2": {"attn_logit_softcapping": 0.7},
    "gemma3_text": {"layer_types": ALTERNATE},
    "gemma3n_text": {
        "layer_types": ALTERNATE * 2, "num_hidden_layers": 8, "num_kv_shared_layers": 4, "hidden_size_per_layer_input": 16,
        "vocab_size_per_layer_input": 512, "laurel_rank": 8,
    },
    "gemma4_text": {
        "layer_types": ALTERNATE, "hidden_size_per_layer_input": 16, "vocab_size_per_layer_input": 512, "global_head_dim": 32,
    },
    "gemma4_unified": {"vision_config": {"patch_size": 4, "mm_embed_dim": 32, "mm_posemb_size": 16, "output_proj_dims": 32}},
    "gemma4_unified_text": {"layer_types": ALTERNATE, "global_head_dim": 32},
    "glm4_moe_lite": LATENT,
    "glm_moe_dsa": LATENT,
    "gpt_neo": {"attention_types": [[["global", "local"], 2]]},
    "gptj": {"rotary_dim": 8},
    "granitemoehybrid": {"layer_types": HYBRID},
    "helium": {"head_dim": 16},
    "inkling_text": {
        "layer_types": ["hybrid_sliding", "hybrid"] * 2, "swa_num_attention_heads": 4, "swa_num_key_value_heads": 2,
        "swa_head_dim": 24, "rel_extent": 32, "d_rel": 8, "num_mtp_layers": None,
    },
    "inkling2_text": {
        "layer_types": ["hybrid_sliding", "hybrid"] * 2, "swa_num_attention_heads": 4, "swa_num_key_value_heads": 2,
        "swa_head_dim": 24, "rel_extent": 32, "d_rel": 8, "unpadded_vocab_size": 512, "n_layers_per_attn_res_block": 2,
    },
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "kimi_linear": {"layer_types": HYBRID, "num_key_value_heads": 4, "linear_head_dim": 16, "linear_num_heads": 4},
    "kolibri1": {"layer_types": ALTERNATE},
    "laguna": {"layer_types": ALTERNATE, "num_attention_heads_per_layer": [4, 6] * 2},
    "lfm2": {"layer_types": ["conv", "full_attention"] * 2},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 2},
    "longcat_flash": {"num_layers": 2, "zero_expert_num": 2, "expert_ffn_hidden_size": 48, "num_key_value_heads": 4,
                      "head_dim": 8},
    "mamba2": {"head_dim": 32},
    "mellum": {"layer_types": ALTERNATE},
    "minicpm3": LATENT | {"dim_model_base": 48},
    "ministral": {"layer_types": ALTERNATE},
    "phi4_multimodal": {"vision_config": TOWER, "audio_config": {
        "hidden_size": 32, "intermediate_size": 32, "num_blocks": 1, "num_attention_heads": 2, "ext_pw_out_channel": 32,
        "depthwise_separable_out_channel": 32, "nemo_conv_channels": 32, "chunk_size": -1,
    }},
    "qwen4_exp_text": {"hc_lowrank": 8, "indexer_n_heads": 2, "indexer_kv_heads": 1, "indexer_head_dim": 24,
                       "indexer_budget": WINDOW, "indexer_compress_ratio": 4},
    "rembert": {"input_embedding_size": 48, "output_embedding_size": 80},
    "reformer": {
        "axial_pos_shape": (16, 32), "axial_pos_embds_dim": (32, 32), "attention_head_size": 16, "feed_forward_size": 96,
        "attn_layers": ("local", "local"), "local_attn_chunk_length": 16,
    },
    "roc_bert": {"pronunciation_embed_dim": 16, "pronunciation_vocab_size": 32, "shape_embed_dim": 16, "shape_vocab_size": 32},
    "vaultgemma": {"attn_logit_softcapping": 0.7},
    "xlm": {"causal": True},
    "xlnet": {"attn_type": "uni", "mem_len": None},
    "xmod": {"default_language": "en_XX"},
    "youtu": LATENT,
    "zamba": {"layers_block_type": ["linear_attention", "hybrid"] * 2, "n_mamba_heads": 2, "mamba_dt_rank": 4},
    "zamba2": {"layers_block_type": ["linear_attention", "hybrid"] * 2, "n_mamba_heads": 4},
    "zaya": {"num_experts_per_tok": 1, "router_hidden_size": 32, "layer_types": ["hybrid", "hybrid_sliding"] * 2},
}  # fmt: skip
"""Model type → what it needs otherwise, by configuration key; of a part of the configuration, a table of its own."""

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "cohere, norms of q and k": ("cohere", {"use_qk_norm": True}),
    "deepseek_v3, q of full rank": ("deepseek_v3", {"q_lora_rank": None}),
    "falcon, ALiBi": ("falcon", {"alibi": True}),
    "falcon, new decoder": ("falcon", {"new_decoder_architecture": True, "bias": True}),
    "gemma2, attention uncapped": ("gemma2", {"attn_logit_softcapping": None}),
    "gemma3_text, logits uncapped": ("gemma3_text", {"final_logit_softcapping": None}),
    "gemma4_text, experts and shared keys": ("gemma4_text", {
        "enable_moe_block": True, "num_experts": 4, "top_k_experts": 2, "moe_intermediate_size": 48,
        "num_kv_shared_layers": 2, "attention_k_eq_v": True, "num_global_key_value_heads": 1,
    }),
    "gpt2, scale by layer": ("gpt2", {"scale_attn_by_inverse_layer_idx": True}),
    "gpt_bigcode, multi-head": ("gpt_bigcode", {"multi_query": False}),
    "gpt_neox, sequential": ("gpt_neox", {"use_parallel_residual": False}),
    "llama, without biases": ("llama", {"attention_bias": False, "mlp_bias": False}),
    "llama, tied": ("llama", {"tie_word_embeddings": True, "attention_bias": False, "mlp_bias": False}),
    "llama, llama3 RoPE": ("llama", {"rope_parameters": {
        "rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }}),
    "llama, YaRN": ("llama", {"rope_parameters": {
        "rope_type": "yarn", "rope_theta": 1e4, "factor": 8.0, "original_max_position_embeddings": 64,
    }}),
    "minimax_m3_vl_text, sparse": ("minimax_m3_vl_text", {
        "layer_types": ["full_attention", "minimax_m3_sparse"] * 2, "index_n_heads": 2,
    }),
    "mistral, without a window": ("mistral", {"sliding_window": None}),
    "mpt, no ALiBi": ("mpt", {"attn_config": {"alibi": False, "clip_qkv": 1.0}}),
    "olmo, clipped": ("olmo", {"clip_qkv": 1.0}),
    "opt, norm behind": ("opt", {"do_layer_norm_before": False, "word_embed_proj_dim": 32}),
    "phi, norms of q and k": ("phi", {"qk_layernorm": True}),
    "qwen2_moe, without a window": ("qwen2_moe", {"use_sliding_window": False}),
    "stablelm, parallel": ("stablelm", {"use_parallel_residual": True, "use_qkv_bias": True, "qk_layernorm": True}),
}  # fmt: skip
"""What a class does only when its configuration says so: name → model type and keys."""

NO_REFERENCE: dict[str, str] = {
    "cpmant": "its attention sees what follows: the prompt is read both ways",
    "prophetnet": "its own forward pass is not causal",
}
"""Model type → why its own forward pass does not say what follows a prompt: log p of earlier tokens moves with later ones."""

NOT_MADE: dict[str, str] = {
    "gemma3n": "its image tower needs the package timm (its text part is made: gemma3n_text)",
    "gemma4_assistant": "drafts for another model, whose keys and values it attends to",
    "gemma4_unified_assistant": "drafts for another model, whose keys and values it attends to",
    "musicgen": "the sound decoder of an encoder-decoder: its tokens are sets of audio codes",
    "musicgen_melody": "the sound decoder of an encoder-decoder: its tokens are sets of audio codes",
}
"""Model type → why no tiny model of it is made."""
