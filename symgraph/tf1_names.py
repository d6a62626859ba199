"""The public names of TensorFlow 1 (mostly 1.15) that programs use: names and nothing else.

Law of this file: by namespace ('' is `tf` itself), in alphabetical order; what each one is here lies in tf1.py.
"""

NAMES: dict[str, str] = {
    "": """
        abs accumulate_n acos acosh add add_check_numerics_ops add_n add_to_collection add_to_collections AggregationMethod all_variables
        angle arg_max arg_min argmax argmin argsort as_dtype as_string asin asinh Assert assert_equal assert_greater assert_greater_equal
        assert_integer assert_less assert_less_equal assert_near assert_negative assert_non_negative assert_non_positive assert_none_equal
        assert_positive assert_proper_iterable assert_rank assert_rank_at_least assert_rank_in assert_same_float_dtype assert_scalar
        assert_type assert_variables_initialized assign assign_add assign_sub atan atan2 atanh AttrValue AUTO_REUSE batch_gather
        batch_matmul batch_scatter_update batch_to_space batch_to_space_nd betainc bfloat16 bincount bitcast bool boolean_mask
        broadcast_dynamic_shape broadcast_static_shape broadcast_to case cast ceil check_numerics cholesky cholesky_solve
        clip_by_average_norm clip_by_global_norm clip_by_norm clip_by_value colocate_with complex complex128 complex64 complex_abs concat
        cond ConditionalAccumulator ConditionalAccumulatorBase ConfigProto confusion_matrix conj constant constant_initializer container
        control_dependencies control_flow_v2_enabled convert_to_tensor convert_to_tensor_or_indexed_slices
        convert_to_tensor_or_sparse_tensor cos cosh count_nonzero count_up_to create_partitioned_variables CriticalSection cross cumprod
        cumsum custom_gradient decode_base64 decode_compressed decode_csv decode_json_example decode_raw delete_session_tensor
        depth_to_space dequantize deserialize_many_sparse device DeviceSpec diag diag_part digamma Dimension dimension_at_index
        dimension_value disable_control_flow_v2 disable_eager_execution disable_resource_variables disable_v2_behavior
        disable_v2_tensorshape div div_no_nan divide double DType dynamic_partition dynamic_stitch edit_distance einsum
        enable_control_flow_v2 enable_eager_execution enable_resource_variables enable_v2_behavior enable_v2_tensorshape encode_base64
        ensure_shape equal erf erfc Event executing_eagerly exp expand_dims expm1 extract_image_patches extract_volume_patches eye
        fake_quant_with_min_max_args fake_quant_with_min_max_args_gradient fake_quant_with_min_max_vars
        fake_quant_with_min_max_vars_gradient fake_quant_with_min_max_vars_per_channel fake_quant_with_min_max_vars_per_channel_gradient
        fft fft2d fft3d FIFOQueue fill fixed_size_partitioner FixedLenFeature FixedLengthRecordReader FixedLenSequenceFeature float16
        float32 float64 floor floor_div floordiv floormod foldl foldr function gather gather_nd get_collection get_collection_ref
        get_default_graph get_default_session get_local_variable get_logger get_seed get_session_handle get_session_tensor get_variable
        get_variable_scope GIT_VERSION global_norm global_variables global_variables_initializer glorot_normal_initializer
        glorot_uniform_initializer GPUOptions gradients GradientTape Graph GRAPH_DEF_VERSION GraphDef GraphKeys GraphOptions greater
        greater_equal group guarantee_const half hessians histogram_fixed_width histogram_fixed_width_bins histogram_summary
        HistogramProto identity identity_n IdentityReader ifft ifft2d ifft3d igamma igammac imag image_summary import_graph_def
        IndexedSlices init_scope initialize_all_tables initialize_all_variables initialize_local_variables initialize_variables int16
        int32 int64 int8 InteractiveSession inv invert_permutation is_finite is_inf is_nan is_non_decreasing is_numeric_tensor
        is_strictly_increasing is_tensor is_variable_initialized lbeta less less_equal lgamma lin_space linspace listdiff LMDBReader
        load_file_system_library load_library load_op_library local_variables local_variables_initializer log log1p log_sigmoid
        logical_and logical_not logical_or logical_xor LogMessage make_ndarray make_template make_tensor_proto map_fn matching_files
        matmul matrix_band_part matrix_determinant matrix_diag matrix_diag_part matrix_inverse matrix_set_diag matrix_solve
        matrix_solve_ls matrix_square_root matrix_transpose matrix_triangular_solve maximum merge_all_summaries merge_summary meshgrid
        MetaGraphDef min_max_variable_partitioner minimum mod model_variables moving_average_variables mul multinomial multiply name_scope
        NameAttrList neg negative newaxis no_gradient no_op no_regularizer NodeDef NoGradient norm not_equal NotDifferentiable
        numpy_function one_hot ones ones_initializer ones_like op_scope Operation OpError OptimizerOptions orthogonal_initializer pack pad
        PaddingFIFOQueue parallel_stack parse_example parse_single_example parse_single_sequence_example parse_tensor placeholder
        placeholder_with_default polygamma pow Print print PriorityQueue py_func py_function qint16 qint32 qint8 qr quantize quantize_v2
        quantized_concat QUANTIZED_DTYPES QueueBase quint16 quint8 RaggedTensor random_crop random_gamma random_normal
        random_normal_initializer random_poisson random_shuffle random_uniform random_uniform_initializer RandomShuffleQueue range rank
        read_file ReaderBase real realdiv reciprocal recompute_grad reduce_all reduce_any reduce_logsumexp reduce_max reduce_mean
        reduce_min reduce_prod reduce_sum regex_replace register_tensor_conversion_function RegisterGradient
        report_uninitialized_variables required_space_to_batch_paddings reset_default_graph reshape resource resource_variables_enabled
        reverse reverse_sequence reverse_v2 rint roll round rsqrt RunMetadata RunOptions saturate_cast scalar_mul scalar_summary scan
        scatter_add scatter_div scatter_max scatter_min scatter_mul scatter_nd scatter_nd_add scatter_nd_sub scatter_nd_update scatter_sub
        scatter_update searchsorted segment_max segment_mean segment_min segment_prod segment_sum select self_adjoint_eig
        self_adjoint_eigvals sequence_mask serialize_many_sparse serialize_sparse serialize_tensor Session SessionLog set_random_seed
        setdiff1d shape shape_n sigmoid sign sin sinh size slice sort space_to_batch space_to_batch_nd space_to_depth sparse_add
        sparse_concat sparse_fill_empty_rows sparse_mask sparse_matmul sparse_maximum sparse_merge sparse_minimum sparse_placeholder
        sparse_reduce_max sparse_reduce_max_sparse sparse_reduce_sum sparse_reduce_sum_sparse sparse_reorder sparse_reset_shape
        sparse_reshape sparse_retain sparse_segment_mean sparse_segment_sqrt_n sparse_segment_sum sparse_slice sparse_softmax sparse_split
        sparse_tensor_dense_matmul sparse_tensor_to_dense sparse_to_dense sparse_to_indicator sparse_transpose
        SparseConditionalAccumulator SparseFeature SparseTensor SparseTensorValue split sqrt square squared_difference squeeze stack
        stop_gradient strided_slice string string_join string_split string_strip string_to_hash_bucket string_to_hash_bucket_fast
        string_to_hash_bucket_strong string_to_number sub substr subtract Summary SummaryMetadata svd tan tanh Tensor tensor_scatter_add
        tensor_scatter_nd_add tensor_scatter_nd_sub tensor_scatter_nd_update tensor_scatter_sub tensor_scatter_update TensorArray
        tensordot TensorInfo TensorShape TextLineReader TFRecordReader tile timestamp to_bfloat16 to_complex128 to_complex64 to_double
        to_float to_int32 to_int64 trace trainable_variables transpose truediv truncated_normal truncated_normal_initializer truncatediv
        truncatemod tuple uint16 uint32 uint64 uint8 UnconnectedGradients uniform_unit_scaling_initializer unique unique_with_counts
        unpack unravel_index unsorted_segment_max unsorted_segment_mean unsorted_segment_min unsorted_segment_prod unsorted_segment_sqrt_n
        unsorted_segment_sum unstack Variable variable_axis_size_partitioner variable_creator_scope variable_op_scope variable_scope
        VariableAggregation variables_initializer VariableScope VariableSynchronization variance_scaling_initializer variant VarLenFeature
        vectorized_map verify_tensor_all_finite VERSION where where_v2 while_loop WholeFileReader wrap_function write_file zeros
        zeros_initializer zeros_like zeta""",
    "nn": """
        all_candidate_sampler atrous_conv2d atrous_conv2d_transpose avg_pool avg_pool1d avg_pool2d avg_pool3d avg_pool_v2
        batch_norm_with_global_normalization batch_normalization bias_add bidirectional_dynamic_rnn compute_accidental_hits conv1d
        conv1d_transpose conv2d conv2d_backprop_filter conv2d_backprop_input conv2d_transpose conv3d conv3d_backprop_filter
        conv3d_backprop_filter_v2 conv3d_transpose conv_transpose convolution crelu ctc_beam_search_decoder ctc_beam_search_decoder_v2
        ctc_greedy_decoder ctc_loss ctc_loss_v2 depth_to_space depthwise_conv2d depthwise_conv2d_backprop_filter
        depthwise_conv2d_backprop_input depthwise_conv2d_native depthwise_conv2d_native_backprop_filter
        depthwise_conv2d_native_backprop_input dilation2d dropout dynamic_rnn elu embedding_lookup embedding_lookup_sparse erosion2d
        fixed_unigram_candidate_sampler fractional_avg_pool fractional_max_pool fused_batch_norm in_top_k l2_loss l2_normalize leaky_relu
        learned_unigram_candidate_sampler local_response_normalization log_poisson_loss log_softmax log_uniform_candidate_sampler lrn
        max_pool max_pool1d max_pool2d max_pool3d max_pool_v2 max_pool_with_argmax moments nce_loss normalize_moments pool
        quantized_avg_pool quantized_conv2d quantized_max_pool quantized_relu_x raw_rnn relu relu6 relu_layer safe_embedding_lookup_sparse
        sampled_softmax_loss scale_regularization_loss selu separable_conv2d sigmoid sigmoid_cross_entropy_with_logits softmax
        softmax_cross_entropy_with_logits softmax_cross_entropy_with_logits_v2 softplus softsign space_to_batch space_to_depth
        sparse_softmax_cross_entropy_with_logits static_bidirectional_rnn static_rnn static_state_saving_rnn sufficient_statistics swish
        tanh top_k uniform_candidate_sampler weighted_cross_entropy_with_logits weighted_moments with_space_to_batch xw_plus_b
        zero_fraction""",
    "train": """
        AdadeltaOptimizer AdagradDAOptimizer AdagradOptimizer AdamOptimizer add_queue_runner assert_global_step basic_train_loop batch
        batch_join BytesList Checkpoint checkpoint_exists CheckpointManager checkpoints_iterator CheckpointSaverHook
        CheckpointSaverListener ChiefSessionCreator ClusterDef ClusterSpec Coordinator cosine_decay cosine_decay_restarts
        create_global_step do_quantize_training_on_graphdef Example exponential_decay ExponentialMovingAverage export_meta_graph Feature
        FeatureList FeatureLists Features FeedFnHook FinalOpsHook FloatList FtrlOptimizer generate_checkpoint_state_proto
        get_checkpoint_mtimes get_checkpoint_state get_global_step get_or_create_global_step global_step GlobalStepWaiterHook
        GradientDescentOptimizer import_meta_graph init_from_checkpoint input_producer Int64List inverse_time_decay JobDef
        latest_checkpoint limit_epochs linear_cosine_decay list_variables load_checkpoint load_variable LoggingTensorHook LooperThread
        match_filenames_once maybe_batch maybe_batch_join maybe_shuffle_batch maybe_shuffle_batch_join MomentumOptimizer MonitoredSession
        MonitoredTrainingSession NanLossDuringTrainingError NanTensorHook natural_exp_decay NewCheckpointReader noisy_linear_cosine_decay
        Optimizer piecewise_constant piecewise_constant_decay polynomial_decay ProfilerHook ProximalAdagradOptimizer
        ProximalGradientDescentOptimizer queue_runner QueueRunner range_input_producer remove_checkpoint replica_device_setter
        RMSPropOptimizer Saver SaverDef Scaffold SecondOrStepTimer SequenceExample Server ServerDef SessionCreator SessionManager
        SessionRunArgs SessionRunContext SessionRunHook SessionRunValues shuffle_batch shuffle_batch_join SingularMonitoredSession
        slice_input_producer start_queue_runners StepCounterHook StopAtStepHook string_input_producer summary_iterator SummarySaverHook
        SummaryWriter Supervisor SyncReplicasOptimizer update_checkpoint_state VocabInfo warm_start WorkerSessionCreator write_graph""",
    "losses": """
        absolute_difference add_loss compute_weighted_loss cosine_distance get_losses get_regularization_loss get_regularization_losses
        get_total_loss hinge_loss huber_loss log_loss mean_pairwise_squared_error mean_squared_error Reduction sigmoid_cross_entropy
        softmax_cross_entropy sparse_softmax_cross_entropy""",
    "metrics": """
        accuracy auc average_precision_at_k false_negatives false_negatives_at_thresholds false_positives false_positives_at_thresholds
        mean mean_absolute_error mean_cosine_distance mean_iou mean_per_class_accuracy mean_relative_error mean_squared_error mean_tensor
        percentage_below precision precision_at_k precision_at_thresholds precision_at_top_k recall recall_at_k recall_at_thresholds
        recall_at_top_k root_mean_squared_error sensitivity_at_specificity sparse_average_precision_at_k sparse_precision_at_k
        specificity_at_sensitivity true_negatives true_negatives_at_thresholds true_positives true_positives_at_thresholds""",
    "random": """
        all_candidate_sampler categorical fixed_unigram_candidate_sampler gamma get_seed learned_unigram_candidate_sampler
        log_uniform_candidate_sampler multinomial normal poisson set_random_seed shuffle stateless_categorical stateless_gamma
        stateless_multinomial stateless_normal stateless_poisson stateless_truncated_normal stateless_uniform truncated_normal uniform
        uniform_candidate_sampler""",
    "debugging": """
        Assert assert_all_finite assert_equal assert_greater assert_greater_equal assert_integer assert_less assert_less_equal assert_near
        assert_negative assert_non_negative assert_non_positive assert_none_equal assert_positive assert_proper_iterable assert_rank
        assert_rank_at_least assert_rank_in assert_same_float_dtype assert_scalar assert_shapes assert_type check_numerics is_finite
        is_inf is_nan is_non_decreasing is_numeric_tensor is_strictly_increasing""",
    "linalg": """
        adjoint band_part cholesky cholesky_solve cross det diag diag_part eigh eigvalsh einsum expm eye global_norm inv l2_normalize
        LinearOperator LinearOperatorAdjoint LinearOperatorBlockDiag LinearOperatorBlockLowerTriangular LinearOperatorCirculant
        LinearOperatorCirculant2D LinearOperatorCirculant3D LinearOperatorComposition LinearOperatorDiag LinearOperatorFullMatrix
        LinearOperatorHouseholder LinearOperatorIdentity LinearOperatorInversion LinearOperatorKronecker LinearOperatorLowerTriangular
        LinearOperatorLowRankUpdate LinearOperatorScaledIdentity LinearOperatorToeplitz LinearOperatorZeros logdet logm lstsq lu
        lu_matrix_inverse lu_reconstruct lu_solve matmul matrix_rank matrix_transpose matvec norm normalize pinv qr set_diag slogdet solve
        sqrtm svd tensor_diag tensor_diag_part tensordot trace transpose triangular_solve tridiagonal_solve""",
    "math": """
        abs accumulate_n acos acosh add add_n angle argmax argmin asin asinh atan atan2 atanh bessel_i0 bessel_i0e bessel_i1 bessel_i1e
        betainc bincount ceil confusion_matrix conj cos cosh count_nonzero cumprod cumsum cumulative_logsumexp digamma divide
        divide_no_nan equal erf erfc erfcinv erfinv exp expm1 floor floordiv floormod greater greater_equal igamma igammac imag in_top_k
        invert_permutation is_finite is_inf is_nan is_non_decreasing is_strictly_increasing l2_normalize lbeta less less_equal lgamma log
        log1p log_sigmoid log_softmax logical_and logical_not logical_or logical_xor maximum minimum mod multiply negative not_equal
        polygamma polyval pow real reciprocal reduce_all reduce_any reduce_euclidean_norm reduce_logsumexp reduce_max reduce_mean
        reduce_min reduce_prod reduce_std reduce_sum reduce_variance rint round rsqrt scalar_mul segment_max segment_mean segment_min
        segment_prod segment_sum sigmoid sign sin sinh softmax softplus softsign sqrt square squared_difference subtract tan tanh top_k
        truediv unsorted_segment_max unsorted_segment_mean unsorted_segment_min unsorted_segment_prod unsorted_segment_sqrt_n
        unsorted_segment_sum xdivy xlogy zero_fraction zeta""",
    "strings": """
        as_string bytes_split format join length lower ngrams regex_full_match regex_replace split strip substr to_hash_bucket
        to_hash_bucket_fast to_hash_bucket_strong to_number unicode_decode unicode_decode_with_offsets unicode_encode unicode_script
        unicode_split unicode_split_with_offsets unicode_transcode unsorted_segment_join upper""",
    "test": """
        assert_equal_graph_def Benchmark compute_gradient compute_gradient_error create_local_cluster get_temp_dir gpu_device_name
        is_built_with_cuda is_gpu_available main mock StubOutForTesting test_src_dir_path TestCase""",
    "logging": """
        DEBUG debug ERROR error FATAL fatal flush get_verbosity INFO info log log_every_n log_first_n log_if set_verbosity vlog WARN warn
        warning""",
    "summary": """
        audio Event FileWriter FileWriterCache histogram image initialize merge merge_all scalar SessionLog Summary tensor_summary text""",
    "sparse": """
        add bincount concat cross cross_hashed expand_dims eye fill_empty_rows from_dense mask matmul maximum merge minimum placeholder
        reduce_max reduce_max_sparse reduce_sum reduce_sum_sparse reorder reset_shape reshape retain segment_mean segment_sqrt_n
        segment_sum slice softmax sparse_dense_matmul SparseConditionalAccumulator SparseTensor split to_dense to_indicator transpose""",
    "saved_model": """
        build_signature_def build_tensor_info Builder builder classification_signature_def load loader main_op main_op_with_restore
        maybe_saved_model_directory predict_signature_def regression_signature_def save signature_constants signature_def_utils
        simple_save tag_constants utils""",
    "io": """
        decode_base64 decode_bmp decode_compressed decode_csv decode_gif decode_image decode_jpeg decode_json_example decode_jxl
        decode_png decode_proto decode_raw decode_webp deserialize_many_sparse encode_base64 encode_jpeg encode_png encode_proto
        extract_jpeg_shape FixedLenFeature FixedLenSequenceFeature is_jpeg match_filenames_once matching_files PaddingFIFOQueue
        parse_example parse_sequence_example parse_single_example parse_single_sequence_example parse_tensor PriorityQueue QueueBase
        RaggedFeature RandomShuffleQueue read_file serialize_many_sparse serialize_sparse serialize_tensor SparseFeature
        tf_record_iterator TFRecordCompressionType TFRecordOptions TFRecordWriter VarLenFeature write_file write_graph""",
    "graph_util": """
        convert_variables_to_constants extract_sub_graph import_graph_def must_run_on_cpu remove_training_nodes
        tensor_shape_from_node_def_name""",
    "python_io": "tf_record_iterator TFRecordCompressionType TFRecordOptions TFRecordWriter",
    "initializers": """
        constant global_variables glorot_normal glorot_uniform he_normal he_uniform identity lecun_normal lecun_uniform local_variables
        ones orthogonal random_normal random_uniform tables_initializer truncated_normal uniform_unit_scaling variables variance_scaling
        zeros""",
    "manip": "batch_to_space_nd gather_nd reshape reverse roll scatter_nd space_to_batch_nd tile",
    "sets": "difference intersection set_difference set_intersection set_size set_union size union",
    "spectral": "dct fft fft2d fft3d idct ifft ifft2d ifft3d irfft irfft2d irfft3d rfft rfft2d rfft3d",
    "signal": """
        dct fft fft2d fft3d frame hamming_window hann_window idct ifft ifft2d ifft3d inverse_stft inverse_stft_window_fn irfft irfft2d
        irfft3d linear_to_mel_weight_matrix mfccs_from_log_mel_spectrograms overlap_and_add rfft rfft2d rfft3d stft""",
    "errors": """
        AbortedError AlreadyExistsError CancelledError DataLossError DeadlineExceededError error_code_from_exception_type
        exception_type_from_error_code FailedPreconditionError InternalError InvalidArgumentError NotFoundError OpError OutOfRangeError
        PermissionDeniedError raise_exception_on_not_ok_status ResourceExhaustedError UnauthenticatedError UnavailableError
        UnimplementedError UnknownError""",
    "version": "GIT_VERSION GRAPH_DEF_VERSION VERSION",
    "lookup": "KeyValueTensorInitializer StaticHashTable StaticVocabularyTable TextFileInitializer",
    "nn.rnn_cell": """
        BasicLSTMCell BasicRNNCell DeviceWrapper DropoutWrapper GRUCell LSTMCell LSTMStateTuple MultiRNNCell ResidualWrapper RNNCell""",
    "layers": """
        average_pooling1d average_pooling2d average_pooling3d AveragePooling1D AveragePooling2D AveragePooling3D batch_normalization
        BatchNormalization Conv1D conv1d Conv2D conv2d conv2d_transpose Conv2DTranspose Conv3D conv3d conv3d_transpose Conv3DTranspose
        Dense dense Dropout dropout Flatten flatten InputSpec Layer max_pooling1d max_pooling2d max_pooling3d MaxPooling1D MaxPooling2D
        MaxPooling3D separable_conv1d separable_conv2d SeparableConv1D SeparableConv2D""",
    "app": "flags run",
    "flags": """
        DEFINE_alias DEFINE_bool DEFINE_boolean DEFINE_enum DEFINE_float DEFINE_integer DEFINE_list DEFINE_multi_float
        DEFINE_multi_integer DEFINE_multi_string DEFINE_spaceseplist DEFINE_string DuplicateFlagError Error FLAGS IllegalFlagValueError
        mark_flag_as_required mark_flags_as_required register_validator UnrecognizedFlagError validator""",
    "gfile": "Copy DeleteRecursively Exists FastGFile GFile Glob IsDirectory ListDirectory MakeDirs MkDir Open Remove Rename Stat Walk",
    "io.gfile": "copy exists GFile glob isdir listdir makedirs mkdir remove rename rmtree stat walk",
    "image": """
        adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_jpeg_quality adjust_saturation central_crop convert_image_dtype
        crop_and_resize crop_to_bounding_box decode_bmp decode_gif decode_image decode_jpeg decode_png draw_bounding_boxes encode_jpeg
        encode_png extract_glimpse extract_image_patches extract_patches flip_left_right flip_up_down grayscale_to_rgb hsv_to_rgb
        image_gradients is_jpeg non_max_suppression non_max_suppression_overlaps non_max_suppression_padded
        non_max_suppression_with_scores pad_to_bounding_box per_image_standardization psnr random_brightness random_contrast random_crop
        random_flip_left_right random_flip_up_down random_hue random_jpeg_quality random_saturation resize resize_area resize_bicubic
        resize_bilinear resize_image_with_crop_or_pad resize_image_with_pad resize_images resize_nearest_neighbor resize_with_crop_or_pad
        ResizeMethod rgb_to_grayscale rgb_to_hsv rgb_to_yiq rgb_to_yuv rot90 sample_distorted_bounding_box sobel_edges ssim
        ssim_multiscale total_variation transpose transpose_image yiq_to_rgb yuv_to_rgb""",
    "data": """
        Dataset FixedLengthRecordDataset get_output_classes get_output_shapes get_output_types Iterator make_initializable_iterator
        make_one_shot_iterator Options TextLineDataset TFRecordDataset""",
    "data.experimental": """
        AUTOTUNE bucket_by_sequence_length Counter CsvDataset group_by_window make_csv_dataset map_and_batch parallel_interleave
        shuffle_and_repeat unbatch""",
    "estimator": """
        BaselineClassifier BaselineRegressor DNNClassifier DNNLinearCombinedClassifier DNNLinearCombinedRegressor DNNRegressor Estimator
        EstimatorSpec EvalSpec LinearClassifier LinearRegressor ModeKeys RunConfig train_and_evaluate TrainSpec WarmStartSettings""",
    "estimator.inputs": "numpy_input_fn pandas_input_fn",
    "estimator.export": "build_parsing_serving_input_receiver_fn build_raw_serving_input_receiver_fn ServingInputReceiver",
    "feature_column": """
        bucketized_column categorical_column_with_hash_bucket categorical_column_with_identity categorical_column_with_vocabulary_file
        categorical_column_with_vocabulary_list crossed_column embedding_column indicator_column input_layer linear_model
        make_parse_example_spec numeric_column shared_embedding_columns weighted_categorical_column""",
    "keras": "Input Model Sequential",
    "keras.datasets.mnist": "load_data",
    "keras.datasets.fashion_mnist": "load_data",
    "keras.datasets.cifar10": "load_data",
    "keras.datasets.cifar100": "load_data",
    "keras.datasets.imdb": "load_data",
    "keras.datasets.reuters": "load_data",
    "keras.datasets.boston_housing": "load_data",
    "keras.layers": """
        Activation Add AveragePooling2D BatchNormalization Concatenate Conv1D Conv2D Conv2DTranspose Dense Dropout Embedding Flatten
        GlobalAveragePooling2D GRU Input Lambda Layer LeakyReLU LSTM MaxPooling2D Reshape RNN SimpleRNN TimeDistributed""",
    "keras.models": "load_model Model Sequential",
    "keras.optimizers": "Adadelta Adagrad Adam RMSprop SGD",
    "keras.utils": "get_file multi_gpu_model plot_model Progbar to_categorical",
    "keras.backend": "clear_session function get_session set_learning_phase set_session",
    "keras.callbacks": "Callback EarlyStopping ModelCheckpoint TensorBoard",
    "keras.initializers": """
        Constant glorot_normal glorot_uniform he_normal he_uniform Ones RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros""",
    "keras.losses": "binary_crossentropy categorical_crossentropy mean_squared_error",
    "keras.preprocessing": "image sequence text",
    "keras.regularizers": "l1 l1_l2 l2",
    "keras.applications": "InceptionV3 MobileNet ResNet50 VGG16 VGG19",
    "GraphKeys": """
        ACTIVATIONS ASSET_FILEPATHS BIASES CONCATENATED_VARIABLES COND_CONTEXT EVAL_STEP GLOBAL_STEP GLOBAL_VARIABLES INIT_OP
        LOCAL_INIT_OP LOCAL_RESOURCES LOCAL_VARIABLES LOSSES METRIC_VARIABLES MODEL_VARIABLES MOVING_AVERAGE_VARIABLES QUEUE_RUNNERS
        READY_FOR_LOCAL_INIT_OP READY_OP REGULARIZATION_LOSSES RESOURCES SAVEABLE_OBJECTS SAVERS SUMMARIES SUMMARY_OP TABLE_INITIALIZERS
        TRAIN_OP TRAINABLE_RESOURCE_VARIABLES TRAINABLE_VARIABLES UPDATE_OPS VARIABLES WEIGHTS WHILE_CONTEXT""",
    "examples.tutorials.mnist": "input_data mnist",
    "examples.tutorials.mnist.input_data": "read_data_sets",
    "contrib.layers": """
        apply_regularization avg_pool2d batch_norm bias_add conv1d conv2d conv2d_transpose convolution convolution2d
        convolution2d_transpose dropout embed_sequence embedding_column flatten fully_connected l1_l2_regularizer l1_regularizer
        l2_regularizer layer_norm linear max_pool2d one_hot_encoding optimize_loss real_valued_column relu relu6 repeat separable_conv2d
        stack sum_regularizer summarize_activation summarize_activations summarize_tensor summarize_tensors unit_norm
        variance_scaling_initializer xavier_initializer xavier_initializer_conv2d""",
    "contrib.rnn": """
        AttentionCellWrapper BasicLSTMCell BasicRNNCell best_effort_input_batch_size BidirectionalGridLSTMCell Conv1DLSTMCell
        Conv2DLSTMCell ConvLSTMCell CoupledInputForgetGateLSTMCell DeviceWrapper DropoutWrapper EmbeddingWrapper FusedRNNCell GLSTMCell
        GridLSTMCell GRUBlockCell GRUBlockCellV2 GRUCell HighwayWrapper IndRNNCell InputProjectionWrapper LayerNormBasicLSTMCell
        LayerRNNCell LSTMBlockCell LSTMBlockFusedCell LSTMCell LSTMStateTuple MultiRNNCell NASCell OutputProjectionWrapper PhasedLSTMCell
        ResidualWrapper RNNCell SRUCell stack_bidirectional_dynamic_rnn stack_bidirectional_rnn static_bidirectional_rnn static_rnn
        static_state_saving_rnn TimeFreqLSTMCell TimeReversedFusedRNN transpose_batch_time UGRNNCell""",
    "contrib.legacy_seq2seq": """
        attention_decoder basic_rnn_seq2seq embedding_attention_decoder embedding_attention_seq2seq embedding_rnn_decoder
        embedding_rnn_seq2seq embedding_tied_rnn_seq2seq model_with_buckets one2many_rnn_seq2seq rnn_decoder sequence_loss
        sequence_loss_by_example tied_rnn_seq2seq""",
    "contrib.seq2seq": """
        AttentionWrapper AttentionWrapperState BahdanauAttention BasicDecoder BasicDecoderOutput BeamSearchDecoder CustomHelper Decoder
        dynamic_decode GreedyEmbeddingHelper hardmax Helper InferenceHelper LuongAttention SampleEmbeddingHelper
        ScheduledEmbeddingTrainingHelper ScheduledOutputTrainingHelper sequence_loss tile_batch TrainingHelper""",
    "contrib.factorization": "GMM GmmAlgorithm KMeans KMeansClustering WALSModel",
    "contrib.framework": """
        add_arg_scope add_model_variable arg_scope argsort assert_global_step assert_scalar assign_from_checkpoint
        assign_from_checkpoint_fn create_global_step filter_variables get_global_step get_model_variables get_or_create_global_step
        get_trainable_variables get_unique_variable get_variables get_variables_by_name get_variables_by_suffix get_variables_to_restore
        global_variable init_from_checkpoint is_tensor list_variables load_checkpoint load_variable local_variable model_variable nest
        reduce_sum_n sort variable with_same_shape with_shape""",
    "contrib.learn": """
        DNNClassifier DNNRegressor Estimator Experiment infer_real_valued_columns_from_input learn_runner LinearClassifier LinearRegressor
        ModeKeys preprocessing read_batch_examples RunConfig SKCompat""",
    "contrib.learn.datasets": "base load_boston load_dataset load_iris mnist",
    "contrib.slim": """
        arg_scope avg_pool2d batch_norm conv2d conv2d_transpose convolution2d dropout evaluation flatten fully_connected
        get_model_variables get_variables_to_restore l2_regularizer learning losses max_pool2d model_variable one_hot_encoding repeat
        separable_conv2d stack variable""",
    "contrib.losses": """
        absolute_difference add_loss cosine_distance get_losses get_total_loss log_loss mean_squared_error sigmoid_cross_entropy
        softmax_cross_entropy sparse_softmax_cross_entropy""",
    "contrib.metrics": """
        accuracy confusion_matrix streaming_accuracy streaming_auc streaming_mean streaming_mean_iou
        streaming_precision streaming_recall""",
    "contrib.opt": """
        AdaMaxOptimizer AdamWOptimizer AddSignOptimizer LazyAdamOptimizer MomentumWOptimizer MovingAverageOptimizer NadamOptimizer
        PowerSignOptimizer ScipyOptimizerInterface ShampooOptimizer VariableClippingOptimizer WeightDecayOptimizer""",
    "contrib.crf": """
        crf_binary_score crf_decode crf_log_likelihood crf_log_norm crf_sequence_score crf_unary_score CrfForwardRnnCell viterbi_decode""",
    "contrib.distributions": """
        Bernoulli Beta Categorical Dirichlet Exponential Gamma kl_divergence Mixture MultivariateNormalDiag Normal Poisson Uniform""",
    "distributions": "Bernoulli Beta Categorical Dirichlet Exponential Gamma kl_divergence Laplace Multinomial Normal StudentT Uniform",
    "contrib.data": "batch_and_drop_remainder Dataset Iterator map_and_batch shuffle_and_repeat",
    "contrib.eager": "defun gradients_function implicit_gradients Iterator value_and_gradients_function Variable",
    "contrib.tensorboard.plugins": "projector",
    "contrib.training": "batch_sequences_with_states bucket_by_sequence_length create_train_op get_or_create_eval_step HParams",
    "contrib.lookup": "HashTable index_table_from_file index_table_from_tensor index_to_string_table_from_tensor",
    "contrib.cudnn_rnn": "CudnnGRU CudnnLSTM",
    "contrib.image": "dense_image_warp rotate transform translate",
    "contrib.nn": "alpha_dropout deprecated_flipped_sigmoid_cross_entropy_with_logits rank_sampled_softmax_loss scaled_softplus",
    "contrib.summary": "create_file_writer histogram image scalar",
    "contrib.ffmpeg": "decode_audio encode_audio",
    "contrib.session_bundle": "exporter",
    "contrib.lite": "TFLiteConverter toco_convert",
    "contrib.tpu": "CrossShardOptimizer RunConfig TPUEstimator TPUEstimatorSpec",
    "contrib.util": "constant_value make_ndarray make_tensor_proto",
    "contrib.memory_stats": "BytesInUse",
    "contrib.quantize": "create_eval_graph create_training_graph",
    "contrib.gan": "gan_loss gan_model gan_train",
    "contrib.graph_editor": "copy graph_replace",
    "config": "set_soft_device_placement threading",
    "config.experimental": "get_memory_growth list_physical_devices set_memory_growth set_visible_devices",
    "distribute": "get_strategy MirroredStrategy OneDeviceStrategy Strategy",
    "dtypes": "as_dtype as_string cast complex saturate_cast",
    "bitwise": "bitwise_and bitwise_or bitwise_xor invert left_shift right_shift",
    "audio": "decode_wav encode_wav",
    "lite": "Interpreter TFLiteConverter",
    "profiler": "profile ProfileOptionBuilder Profiler",
    "quantization": "dequantize quantize quantize_v2",
    "queue": "FIFOQueue PaddingFIFOQueue PriorityQueue QueueBase RandomShuffleQueue",
    "ragged": "constant map_flat_values placeholder range",
    "sysconfig": "get_compile_flags get_include get_lib get_link_flags",
    "resource_loader": "get_data_files_path get_path_to_datafile load_resource readahead_file_path",
    "autograph": "to_code to_graph",
    "xla.experimental": "compile jit_scope",
    "python": "client framework ops platform training",
}
